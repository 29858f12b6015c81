#!/bin/sh
# Makes the network namespace of a service that has an endpoint of Cilium, or takes it away. In: `up SERVICE` or `down
# SERVICE`, and /etc/weft/cilium/endpoints/SERVICE. Out: the namespace weft-SERVICE with its link, address and routes. Safe
# to run again: what is there stays, what is missing or wrong is made anew. Needs nothing but sh, ip, nsenter, umount and nft.
#
# The machine's side of a new link is left down: until Cilium judges what comes by it, nothing may. Who made the endpoint
# of it known to Cilium sets it up.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin

fail() {
  printf 'weft-netns: %s\n' "$1" >&2
  exit 1
}

[ $# -eq 2 ] || fail "usage: weft-netns up|down SERVICE"
service=$2
case $service in '' | -* | *[!a-z0-9-]*) fail "$service is no service" ;; esac
namespace=weft-$service
file=/etc/weft/cilium/endpoints/$service

inside_index=1000000000
LINK= OUTSIDE_MAC= INSIDE_MAC= ADDRESS= GATEWAY= RESOLVER= MTU=

# Read, not run: a line is one of these, or the file is refused.
read_file() {
  while IFS= read -r line || [ -n "$line" ]; do
    value=${line#*=}
    case $line in
      LINK=lxc*) case $value in *[!a-z0-9]*) fail "$file: $line" ;; esac; LINK=$value ;;
      OUTSIDE_MAC=*) need_mac && OUTSIDE_MAC=$value ;;
      INSIDE_MAC=*) need_mac && INSIDE_MAC=$value ;;
      ADDRESS=*) need_address && ADDRESS=$value ;;
      GATEWAY=*) need_address && GATEWAY=$value ;;
      RESOLVER=*) need_address && RESOLVER=$value ;;
      MTU=*) case $value in '' | *[!0-9]*) fail "$file: $line" ;; esac; MTU=$value ;;
      *) fail "$file: $line" ;;
    esac
  done <"$file"
  [ ${#LINK} -gt 3 ] && [ ${#LINK} -le 15 ] || fail "$file: no LINK of 4 to 15 characters"
  [ -n "$OUTSIDE_MAC" ] && [ -n "$INSIDE_MAC" ] || fail "$file: a hardware address is missing"
  [ -n "$ADDRESS" ] && [ -n "$GATEWAY" ] || fail "$file: ADDRESS or GATEWAY is missing"
}

need_mac() {
  two='[0-9a-f][0-9a-f]'
  # shellcheck disable=SC2254 # it is a pattern
  case $value in $two:$two:$two:$two:$two:$two) ;; *) fail "$file: $line" ;; esac
}

need_address() {
  case $value in '' | *[!0-9.]*) fail "$file: $line" ;; esac
}

inside() { ip -n "$namespace" "$@"; }
# without the mounts that `ip netns exec` makes
run_inside() { nsenter --net="/run/netns/$namespace" "$@"; }
is_namespace() { inside link show dev lo >/dev/null 2>&1; }
is_link() { ip link show dev "$1" >/dev/null 2>&1; }

# Both ends are there, and they are the ends of each other.
is_whole() {
  is_link "$LINK" || return 1
  inner=$(inside -o link show dev eth0 2>/dev/null) || return 1
  outer=$(ip -o link show dev "$LINK")
  [ "${inner%%:*}" = "$inside_index" ] || return 1
  case $outer in *" link/ether $OUTSIDE_MAC "*) ;; *) return 1 ;; esac
  case $inner in *" link/ether $INSIDE_MAC "*) ;; *) return 1 ;; esac
  # "7: eth0@if12: ..." here, "12: lxc...@if7: ..." there
  index=${inner%%:*}
  case $outer in *"@if$index: "*) ;; *) return 1 ;; esac
  case $inner in *"@if${outer%%:*}: "*) ;; *) return 1 ;; esac
}

mtu_of_machine() {
  device=$(ip -4 route show default | sed -n '1s/.* dev \([^ ]*\).*/\1/p')
  [ -n "$device" ] || { echo 1500; return; }
  ip -o link show dev "$device" | sed -n 's/.* mtu \([0-9]*\) .*/\1/p'
}

up() {
  read_file
  # udev sets what sysctl.d says on every new link, at its own time
  mkdir -p /run/sysctl.d
  echo '-net.ipv4.conf.lxc*.rp_filter = 0' >/run/sysctl.d/99-weft-endpoints.conf
  if ! is_namespace; then
    # a name whose namespace is gone, or cannot be entered
    umount "/run/netns/$namespace" 2>/dev/null || true
    rm -f "/run/netns/$namespace"
    ip netns add "$namespace"
  fi
  if ! is_whole; then
    # the kernel may be taking it away just now, with the namespace it led to
    ! is_link "$LINK" || ip link del dev "$LINK" 2>/dev/null || ! is_link "$LINK" || fail "$LINK cannot be removed"
    ! inside link show dev eth0 >/dev/null 2>&1 || inside link del dev eth0
    # A new agent of Cilium takes two links of which each has the number of the other's peer for a pair, and removes them:
    # a machine whose own eth0 is one end of a veth (a container's) would lose it. Nobody else has a number like this.
    # (Made from within: only for the first of two ends is a number taken.)
    inside link add eth0 index "$inside_index" address "$INSIDE_MAC" type veth \
      peer name "$LINK" address "$OUTSIDE_MAC" netns $$
  fi
  [ -n "$MTU" ] || MTU=$(mtu_of_machine)
  echo 0 >"/proc/sys/net/ipv4/conf/$LINK/rp_filter"
  # Cilium judges IPv4 alone: by IPv6 the two ends would find each other without it
  [ ! -e "/proc/sys/net/ipv6/conf/$LINK" ] || echo 1 >"/proc/sys/net/ipv6/conf/$LINK/disable_ipv6"
  ip link set dev "$LINK" mtu "$MTU"
  run_inside sh -c '[ ! -e /proc/sys/net/ipv6/conf/eth0 ] || echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6'
  inside link set dev lo up
  inside link set dev eth0 mtu "$MTU" up
  for other in $(inside -o -4 addr show dev eth0 | sed -n 's/.* inet \([0-9./]*\) .*/\1/p'); do
    [ "$other" = "$ADDRESS/32" ] || inside addr del "$other" dev eth0
  done
  inside addr replace "$ADDRESS/32" dev eth0
  inside route replace "$GATEWAY/32" dev eth0 scope link
  inside route replace default via "$GATEWAY" dev eth0
  lead_resolver
}

# The machine's resolv.conf names a resolver on loopback, which is not here: what is sent there goes to the node's. The
# service has a resolv.conf of its own, but as a mount, and that ends when somebody renames a new file over the machine's.
lead_resolver() {
  {
    echo 'add table ip weft_resolver'
    echo 'delete table ip weft_resolver'
    [ -z "$RESOLVER" ] || cat <<END
table ip weft_resolver {
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr 127.0.0.0/8 udp dport 53 dnat to $RESOLVER
    ip daddr 127.0.0.0/8 tcp dport 53 dnat to $RESOLVER
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    ip saddr 127.0.0.0/8 ip daddr $RESOLVER snat to $ADDRESS
  }
}
END
  } | run_inside nft -f -
  # answers come back for an address of loopback
  run_inside sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet'
}

down() {
  if is_namespace; then
    # while a process is in it the namespace lives on without its name, but without the link, too
    ! inside link show dev eth0 >/dev/null 2>&1 || inside link del dev eth0
  fi
  [ ! -e "/run/netns/$namespace" ] || ip netns del "$namespace"
}

case $1 in
  up) up ;;
  down) down ;;
  *) fail "usage: weft-netns up|down SERVICE" ;;
esac
