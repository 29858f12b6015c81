#!/bin/sh
# Takes away what an agent of Cilium left in the kernel. In: nothing; the agent is stopped. Out: none of its programs, pins,
# links, rules, routes and run-time files. With `remember`, before the agent starts: what it changes and nobody could
# tell from what was there before is written down, the first time; and its programs are put back where an install was cut short. Safe to run again. Every part is tried; what did not work is named, and then the
# exit code is 1. Its own program for this is asked first, where it is there: it alone knows of programs without a pin.
set -u
PATH=/etc/weft/cilium/bin:/opt/weft/cilium:/usr/sbin:/usr/bin:/sbin:/bin
failed=

before=/var/lib/weft/cilium-before
switch=/proc/sys/net/ipv4/ip_forward

# Tables of iptables that are there, empty or not, and whether this machine passes packets on.
remember() {
  [ ! -e "$before" ] || return 0
  for table in raw mangle nat filter; do
    ! nft list table ip "$table" >/dev/null 2>&1 || echo "table $table"
  done >"$before.new"
  echo "forward $(cat "$switch")" >>"$before.new"
  mv "$before.new" "$before"
}

# An install that was killed between its two renames: the programs are there under another name.
restore() {
  [ ! -e /opt/weft/cilium ] && [ -d /opt/weft/cilium.old ] || return 0
  mv -T /opt/weft/cilium.old /opt/weft/cilium
}

if [ "${1:-}" = remember ]; then
  restore
  remember
  exit
fi

# try WHAT COMMAND...
try() {
  what=$1
  shift
  "$@" || failed="$failed, $what"
}

has() { command -v "$1" >/dev/null 2>&1; }

own_cleanup() {
  has cilium-dbg || return 0
  # what it leaves is taken below, so its word is not the last one
  cilium-dbg post-uninstall-cleanup -f --all-state || echo "weft: cilium-dbg left something" >&2
}

# Filters of kernels without tcx; others' stay.
filters() {
  has tc || return 0
  for device in /sys/class/net/*; do
    device=${device##*/}
    for way in ingress egress; do
      for place in $(tc filter show dev "$device" "$way" 2>/dev/null | sed -n 's/^filter .*pref \([0-9]*\) bpf .* cil_.*/\1/p' | sort -u); do
        tc filter del dev "$device" "$way" pref "$place" || return 1
      done
    done
  done
}

# A program that is attached by a pinned link ends with the pin.
pins() {
  rm -rf /sys/fs/bpf/cilium /sys/fs/bpf/tc/globals/cilium* || return 1
  # where others keep nothing
  rmdir /sys/fs/bpf/tc/globals /sys/fs/bpf/tc 2>/dev/null || true
}

links() {
  for device in /sys/class/net/cilium_*; do
    device=${device##*/}
    # of a pair the other end is gone by now
    ! ip link show dev "$device" >/dev/null 2>&1 || ip link del dev "$device" || return 1
  done
}

# The jumps to its chains, then the chains, in one transaction.
table_of() {
  saved=$(iptables-save -t "$1") || return 1
  case $saved in *CILIUM_*) ;; *) return 0 ;; esac
  chains=$(printf '%s\n' "$saved" | sed -n 's/^:\(CILIUM_[A-Za-z0-9_]*\) .*/\1/p')
  {
    echo "*$1"
    printf '%s\n' "$saved" | sed -n -e '/^-A CILIUM_/d' -e 's/^-A \(.* -j CILIUM_.*\)/-D \1/p'
    for chain in $chains; do echo "-F $chain"; done
    for chain in $chains; do echo "-X $chain"; done
    echo COMMIT
  } | iptables-restore -w 10 --noflush
}

rules() {
  has iptables-save || return 0
  for table in raw mangle nat filter; do table_of "$table" || return 1; done
}

# Tables that came with its rules, and hold nothing of anybody now.
tables() {
  [ -e "$before" ] || return 0
  for table in raw mangle nat filter; do
    ! grep -qx "table $table" "$before" || continue
    held=$(nft list table ip "$table" 2>/dev/null) || continue
    # chains with a hook, and their policies, are all there may be
    rest=$(printf '%s\n' "$held" | grep -vE '^table ip [a-z]+ \{$|^	chain [A-Z]+ \{$|^		type [a-z]+ hook .* policy accept;$|^	?\}$|^$|^#' || true)
    [ -n "$rest" ] || nft delete table ip "$table" || return 1
  done
}

# It has the machine pass packets on.
forwarding() {
  ! grep -qx "forward 0" "$before" 2>/dev/null || echo 0 >"$switch"
}

sets() {
  has ipset || return 0
  for set in cilium_node_set_v4 cilium_node_set_v6; do
    ! ipset list -name "$set" >/dev/null 2>&1 || ipset destroy "$set" || return 1
  done
}

# Its tables are 2004 and 2005. It also moves the kernel's first rule from 0 to 100, to have room before it.
routing() {
  all=$(ip rule show) || return 1
  for table in 2004 2005; do
    printf '%s\n' "$all" | sed -n "s/^\([0-9]*\):.* lookup $table\( .*\)\{0,1\}\$/\1/p" | while read -r place; do
      ip rule del pref "$place" lookup "$table" || exit 1
    done || return 1
    # of a table that is not there it says so
    ip route flush table "$table" 2>/dev/null
  done
  case $all in
    0:*) ;;
    *) ip rule add pref 0 lookup local || return 1 ;;
  esac
  case $all in
    *"100:	from all lookup local"*) ip rule del pref 100 lookup local ;;
  esac
}

# To the ranges of other nodes; by hand nobody makes a route with a gateway that the kernel has made.
routes() {
  ranges=$(cat /etc/weft/cilium/agent.d/ipv4-native-routing-cidr 2>/dev/null) || return 0
  case $ranges in '' | *[!0-9./]*) return 0 ;; esac
  ip -4 route show root "$ranges" proto kernel | sed -n 's/^\([0-9./]*\) via \([0-9.]*\) .*/\1 \2/p' | while read -r range gateway; do
    ip -4 route del "$range" via "$gateway" || exit 1
  done
}

# A control group is mounted in there: what is in that is not ours to remove.
runtime() {
  ! mountpoint -q /run/cilium/cgroupv2 || umount /run/cilium/cgroupv2 || return 1
  rm -rf --one-file-system /run/cilium
}

try "what cilium-dbg takes" own_cleanup
try "filters" filters
try "pins under /sys/fs/bpf" pins
try "links" links
try "chains of iptables" rules
try "tables of iptables" tables
try "sets of ipset" sets
try "rules of routing" routing
try "routes" routes
try "/run/cilium" runtime
try "passing packets on" forwarding
rm -f /run/sysctl.d/99-weft-endpoints.conf
[ -z "$failed" ] || {
  echo "weft: not taken down: ${failed#, }" >&2
  exit 1
}
rm -f "$before"
