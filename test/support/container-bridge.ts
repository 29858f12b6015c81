// In: a host of a kernel net, and names. Out: containers on a bridge of that host, as Docker makes them: a network of
// their own, masqueraded over both families, and ports of theirs published, also to the host's own users.
import { execFileSync } from "node:child_process";
import type { KernelNet } from "./kernel-net.ts";

export interface Published {
  readonly port: number;
  /** Host part of the container's address. */
  readonly container: number;
  readonly target: number;
}

export interface Bridge {
  /** Like 172.30.1 and fd30:1, which container N is N of. */
  readonly net4: string;
  readonly net6: string;
  readonly containers: Readonly<Record<string, number>>;
  readonly published?: Published;
}

export function addBridge(net: KernelNet, host: string, bridge: Bridge): void {
  const { net4, net6, containers, published } = bridge;
  const outer = net.namespaceOf(host);
  const ip = (namespace: string, command: string) =>
    execFileSync("ip", ["-n", namespace, ...command.split(" ")], { stdio: "pipe" });
  ip(outer, "link add bridge0 type bridge");
  ip(outer, `addr add ${net4}.1/24 dev bridge0`);
  ip(outer, `addr add ${net6}::1/64 dev bridge0 nodad`);
  ip(outer, "link set bridge0 up");
  for (const [name, number] of Object.entries(containers)) {
    const inner = net.add(name);
    ip(inner, `link add eth0 type veth peer name ${name} netns ${outer}`);
    ip(outer, `link set ${name} master bridge0 up`);
    ip(inner, "link set lo up");
    ip(inner, `addr add ${net4}.${number}/24 dev eth0`);
    ip(inner, `addr add ${net6}::${number.toString(16)}/64 dev eth0 nodad`);
    ip(inner, "link set eth0 up");
    ip(inner, `route add default via ${net4}.1`);
    ip(inner, `-6 route add default via ${net6}::1`);
  }
  net.run(host, [
    "sh",
    "-c",
    "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
  ]);
  net.nft(
    host,
    table("ip", `${net4}.0/24`, (number) => `${net4}.${number}`, published),
  );
  net.nft(
    host,
    table("ip6", `${net6}::/64`, (number) => `[${net6}::${number.toString(16)}]`, published),
  );
}

/** What Docker writes, in its two families. */
function table(
  family: "ip" | "ip6",
  subnet: string,
  address: (number: number) => string,
  published: Published | undefined,
): string {
  const to =
    published === undefined
      ? ""
      : `fib daddr type local tcp dport ${published.port} dnat to ${address(published.container)}:${published.target}`;
  return `table ${family} docker {
  chain post { type nat hook postrouting priority srcnat; oifname != bridge0 ${family} saddr ${subnet} masquerade
  }
  chain pre { type nat hook prerouting priority dstnat; ${to}
  }
  chain out { type nat hook output priority -100; ${family === "ip" ? "ip daddr != 127.0.0.0/8" : "ip6 daddr != ::1"} ${to || "accept"}
  }
}
`;
}

/** Of the host's eth0, written with the interface a neighbour has towards it. */
export function linkLocal(net: KernelNet, host: string, device = "eth0"): string {
  const listing = net.run(host, ["ip", "-6", "-o", "addr", "show", "dev", device, "scope", "link"]);
  const found = /inet6 (fe80::[0-9a-f:]+)\//.exec(listing)?.[1];
  if (found === undefined) throw new Error(`${host} has no link-local address on ${device}: ${listing}`);
  return `${found}%${device === "bridge0" ? "eth0" : device}`;
}
