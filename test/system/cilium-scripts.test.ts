// The scripts that make an endpoint's namespace and that take down what an agent of Cilium left, in a machine's network that
// is made for each run: namespaces for network and mounts, with a /run, a /etc and a /sys of their own.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { endpointLink, renderEndpointFile } from "../../packages/shared/src/render/cilium-endpoint-link.ts";

const folder = join(import.meta.dirname, "../../packages/node-agent/systemd");
const web = { service: "web", address: "10.42.1.5" };
const { name, outsideMac, insideMac } = endpointLink("web1", "web");
const file = "/etc/weft/cilium/endpoints/web";

const machine = `
netns() { sh ${folder}/weft-netns.sh "$@"; }
take_down() { sh ${folder}/weft-cilium-down.sh "$@"; }
inside() { ip -n weft-web "$@"; }
mount -t sysfs none /sys; mount -t tmpfs none /run; mount -t tmpfs none /etc; mount -t tmpfs none /var/lib
mkdir -p /var/lib/weft
mkdir -p /etc/weft/cilium/endpoints /etc/weft/cilium/agent.d
ip link set lo up
ip link add up0 type veth peer name up1
ip link set up1 up; ip link set up0 up mtu 1400
ip addr add 10.77.0.11/24 dev up0; ip route add default via 10.77.0.1
printf '${renderEndpointFile({ node: "web1", resolver: "10.77.0.11" }, web).replaceAll("\n", "\\n")}' >${file}
`;

function run(script: string): string {
  const argv = ["-m", "-n", "--propagation", "private", "sh", "-eu", "-c", machine + script];
  return execFileSync("unshare", argv, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

const shown = "inside -o link show eth0; inside -o -4 addr show eth0; inside route; ip -o link show";

describe("weft-cilium-down remember", () => {
  it("puts the programs back where an install was killed between its two renames, and only there", () => {
    const opt =
      "mount -t tmpfs none /opt; mkdir -p /opt/weft/cilium.old/bpf; take_down remember; find /opt/weft;";
    expect(run(opt)).toBe("/opt/weft\n/opt/weft/cilium\n/opt/weft/cilium/bpf\n");
    expect(run(`${opt} mkdir /opt/weft/cilium.old; take_down remember; ls /opt/weft`)).toMatch(
      /\ncilium\ncilium\.old\n$/,
    );
  });
});

describe("weft-netns", () => {
  // numbers 1, 2, 3 ... are given in each namespace: eth0 and the machine's own would be each other's peers by their numbers
  it("gives the link inside a number that no link of a machine has", () => {
    expect(run("netns up web; inside -o link show eth0")).toMatch(/^1000000000: eth0@if\d+: /);
  });

  it("makes the namespace, with a link that nothing comes by before Cilium judges it", () => {
    const text = run(`netns up web; ${shown} ${name}; cat /proc/sys/net/ipv4/conf/${name}/rp_filter`);
    expect(text).toMatch(new RegExp(`eth0@if\\d+: .* mtu 1400 .*link/ether ${insideMac} `));
    expect(text).toContain(" inet 10.42.1.5/32 ");
    expect(text).toContain("default via 169.254.42.1 dev eth0");
    expect(text).toMatch(new RegExp(`${name}@if\\d+: <BROADCAST,MULTICAST> mtu 1400 .*${outsideMac} `));
    expect(text).toMatch(/\n0\n$/);
  });

  it("leaves what is right as it is, up included, and makes anew what is missing or wrong", () => {
    const index = `ip -o link show ${name} | sed 's/ mtu.*//'`;
    expect(
      run(`netns up web; ip link set ${name} up; ${index} >/run/a; netns up web; ${index} | cmp - /run/a`),
    ).toBe("");
    for (const damage of [
      `ip link del ${name}`,
      "inside link del eth0",
      `ip link set ${name} address 02:00:00:00:00:09`,
      "inside addr add 10.42.1.9/32 dev eth0; inside addr del 10.42.1.5/32 dev eth0",
      "inside route flush table main",
      "umount /run/netns/weft-web",
      "ip netns del weft-web",
    ])
      expect([damage, run(`netns up web; ${damage}; netns up web; ${shown} ${name}`)]).toEqual([
        damage,
        expect.stringMatching(
          new RegExp(`${insideMac}[^]* inet 10.42.1.5/32[^]*default via 169.254.42.1[^]*${outsideMac}`),
        ),
      ]);
  });

  it("has the service's questions for a resolver on loopback answered by the node's", () => {
    const answer = `import socket
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
s.bind(("10.77.0.11",53))
print("ready",flush=True)
d,a=s.recvfrom(9)
print(a[0],flush=True)
s.sendto(b"yes",a)`;
    const ask = `import socket
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
s.settimeout(5)
s.connect(("127.0.0.53",53))
s.send(b"q")
print(s.recv(9).decode())`;
    const text = run(`netns up web; ip link set ${name} up
ip addr add 169.254.42.1/32 dev lo; ip route add 10.42.1.5/32 dev ${name}
mkfifo /run/said; python3 -c '${answer}' >/run/said & exec 3</run/said; read -r ready <&3
nsenter --net=/run/netns/weft-web python3 -c '${ask}'; read -r from <&3; echo "$from"`);
    expect(text).toBe("yes\n10.42.1.5\n");
  });

  it.each(["X=1", "LINK=lxc$(id)", "LINK=eth0", "ADDRESS=10.0.0.1;id", "INSIDE_MAC=02", "MTU=", "MTU=1 2"])(
    "refuses a file with the line %s",
    (line) => {
      expect(() => run(`echo '${line}' >>${file}; netns up web`)).toThrow(`weft-netns: ${file}: ${line}`);
    },
  );

  it("takes away what it made, though the file is gone, and is content when nothing is there", () => {
    expect(
      run(`netns up web; rm ${file}; netns down web; netns down web; ls /run/netns; ip -o link`),
    ).not.toMatch(/weft-web|lxc/);
    expect(() => run("netns up ../web")).toThrow("is no service");
  });
});

describe("weft-cilium-down", () => {
  it("takes Cilium's links, routes, rules, pins and files, and leaves others' alone", () => {
    const left = `
mount -t bpf none /sys/fs/bpf; mkdir -p /sys/fs/bpf/tc/globals/cilium_maps /sys/fs/bpf/cilium/devices /sys/fs/bpf/other
mkdir -p /run/cilium/cgroupv2; mount -t cgroup2 none /run/cilium/cgroupv2
printf 10.42.0.0/16 >/etc/weft/cilium/agent.d/ipv4-native-routing-cidr
ip link add cilium_host type veth peer name cilium_net
ip route add 10.42.2.0/24 via 10.77.0.12 proto kernel
ip route add 10.42.3.0/24 via 10.77.0.12; ip route add 10.99.0.0/24 via 10.77.0.12 proto kernel
ip rule add pref 9 fwmark 0x200/0xf00 lookup 2004; ip route add local default dev lo table 2004
ip rule add pref 7 fwmark 7 lookup 7
ip rule add pref 100 lookup local; ip rule del pref 0
`;
    const now = "ip rule; ip route; ip -o link; find /sys/fs/bpf /run/cilium -mindepth 1 2>/dev/null || true";
    const text = run(`${left} take_down; ${now}; take_down`);
    expect(text).toMatch(/^0:\tfrom all lookup local\n7:\tfrom all fwmark 0x7 lookup 7\n32766:/);
    expect(text).toContain("10.42.3.0/24 via");
    expect(text).toContain("10.99.0.0/24 via");
    expect(text).toContain("/sys/fs/bpf/other");
    expect(text).not.toMatch(/10\.42\.2\.0|lookup 2004|cilium/);
  });

  it("gives back what was before: tables that only it used are gone, others' stay, and packets are passed on or not", () => {
    const now = "nft list tables; cat /proc/sys/net/ipv4/ip_forward; ls /var/lib/weft";
    const text = run(`
echo 0 >/proc/sys/net/ipv4/ip_forward
nft add table ip raw; nft add table ip mine
take_down remember; echo 1 >/proc/sys/net/ipv4/ip_forward; take_down remember
nft -f - <<END
add table ip filter
add chain ip filter FORWARD { type filter hook forward priority filter; policy accept; }
add table ip nat
add chain ip nat OUTPUT { type nat hook output priority -100; policy accept; }
add rule ip nat OUTPUT tcp dport 1 accept
add chain ip raw PREROUTING { type filter hook prerouting priority raw; policy accept; }
END
take_down; ${now}`);
    expect(text).toMatch(/^table ip raw\ntable ip mine\ntable ip nat\n0\n$/);
  });

  it("names what it could not take, and takes the rest", () => {
    const busy =
      "mkdir -p /run/cilium/cgroupv2; mount -t cgroup2 none /run/cilium/cgroupv2; cd /run/cilium/cgroupv2";
    const links = "ip link add cilium_host type veth peer name cilium_net";
    expect(() => run(`${busy}; ${links}; take_down`)).toThrow("weft: not taken down: /run/cilium\n");
    expect(run(`${busy}; ${links}; take_down 2>/dev/null || ip -o link`)).not.toContain("cilium_host");
  });
});
