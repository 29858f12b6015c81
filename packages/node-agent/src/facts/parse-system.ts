// In: the text of system files and programs. Out: single facts. Pure.
import type { NetworkInterface } from "@weft/shared/model/facts";

/** PRETTY_NAME of os-release. */
export function parseOsRelease(text: string): string {
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? "";
}

/** "systemd 252 (252.39-1~deb12u1)" */
export function parseSystemdVersion(text: string): string {
  return /^systemd (\S+)/.exec(text)?.[1] ?? "";
}

/** "nftables v1.0.6 (Lester Gooch #5)" */
export function parseNftVersion(text: string): string {
  return /^nftables v(\S+)/.exec(text)?.[1] ?? "";
}

export function parseMemoryBytes(meminfo: string): number {
  return Number(/^MemTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1] ?? 0) * 1024;
}

/** File system types mounted at a place, by /proc/self/mountinfo. */
export function parseMountTypes(mountinfo: string): ReadonlyMap<string, string> {
  const mounts = new Map<string, string>();
  for (const line of mountinfo.split("\n")) {
    const [left, right] = line.split(" - ");
    const place = left?.split(" ")[4];
    const type = right?.split(" ")[0];
    if (place !== undefined && type !== undefined) mounts.set(place, type);
  }
  return mounts;
}

interface IpAddress {
  readonly local?: string;
  readonly prefixlen?: number;
}

interface IpLink {
  readonly ifname?: string;
  readonly address?: string;
  readonly mtu?: number;
  readonly flags?: readonly string[];
  readonly addr_info?: readonly IpAddress[];
}

/** Output of `ip -j addr`; what is not of the expected form is left out. */
export function parseIpAddr(json: string): NetworkInterface[] {
  const links: unknown = JSON.parse(json);
  if (!Array.isArray(links)) return [];
  return (links as readonly IpLink[])
    .filter((link) => typeof link.ifname === "string")
    .map((link) => ({
      name: link.ifname ?? "",
      mac: link.address ?? "",
      addresses: (link.addr_info ?? [])
        .filter((address) => address.local !== undefined)
        .map((address) => `${address.local}/${address.prefixlen ?? 0}`),
      up: link.flags?.includes("UP") ?? false,
      mtu: link.mtu ?? 0,
    }));
}
