// In: a lab machine. Out: all that Cilium and its endpoints may leave on one, as text: links, routes, rules, tables, pins, mounts,
// units and files. The order does not show, nor what changes by itself.
import { must, type World } from "../../../scripts/quickstart-src/world.ts";

const script = `
echo links; ip -o link | sed 's/^[0-9]*: //; s/[@:].*//' | sort
echo rules; ip rule
echo routes; ip route show table all | grep -v '^local\\|^broadcast\\|^multicast' | sort
echo namespaces; ls /run/netns 2>/dev/null
echo nftables; nft list tables | sort
echo iptables; iptables-save 2>/dev/null | grep -i cilium
echo sets; ipset list -n
echo pins; find /sys/fs/bpf -mindepth 1 | sort
echo programs; bpftool prog show 2>/dev/null | grep -c cil_
echo mounts; grep -i cilium /proc/self/mounts
echo files; find /etc/weft /run/cilium /run/sysctl.d /var/lib/cilium /etc/systemd/system -type f -o -type l 2>/dev/null | sort
echo units; systemctl list-units --all --plain --no-legend 'weft-netns@*' 'weft-cilium*' | awk '{ print $1, $3 }'
echo switches; sysctl -a 2>/dev/null | grep -E 'ip_forward|conf.(all|default|eth0).(rp_filter|forwarding|accept_local)|ip_local_reserved' | sort
true`;

export async function ciliumTraces(world: World, machine: string): Promise<string> {
  return must(world, machine, ["sh", "-c", script], { timeoutMs: 60_000 });
}
