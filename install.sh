#!/bin/sh
# Puts a Weft release on this machine, or takes it away again. Run as root, from an unpacked release or with --from.
# In: a release folder or tarball, and optionally the file with SPIRE, CoreDNS and etcd. Out: /opt/weft, the commands in
# /usr/local/bin, the units. Nothing is started: `weft init` or `weft-node-agent join` does that. Safe to run again.
set -eu
umask 022

usage() {
  cat <<'TEXT'
Usage: install.sh coordinator [--from DIR|TARBALL] [--components FILE]
       install.sh agent       [--from DIR|TARBALL] [--components FILE]
       install.sh uninstall

  coordinator   this machine will hold the mesh; it is a node too
  agent         this machine will join a mesh
  uninstall     remove the programs, units and users again; state in /var/lib stays
                (run `weft-node-agent leave` first)
  --from        the release: an unpacked folder or weft-*.tar.gz (default: where install.sh is)
  --components  weft-components-*.tar with SPIRE, CoreDNS and etcd (default: looked for beside the release)
TEXT
}

say() { printf 'weft: %s\n' "$*"; }
# die CODE WHAT DO
die() {
  printf 'weft: %s\n' "$2" >&2
  [ -z "${3-}" ] || printf '  Do: %s\n' "$3" >&2
  printf '  (%s)\n' "$1" >&2
  case $1 in WEFT-E001) exit 2 ;; *) exit 1 ;; esac
}

target=/opt/weft
staging=/opt/.weft-new
previous=/opt/.weft-old
node_units="weft-node-agent weft-restore weft-dns spire-agent weft-netns@ weft-cilium weft-cilium-down weft-etcd"
hub_units="$node_units weft-coordinator spire-server"

need_machine() {
  [ "$(id -u)" = 0 ] || die WEFT-E006 "this needs root" "run it with sudo"
  version=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 247 ] || die WEFT-E007 "this machine has systemd ${version:-none}, Weft needs 247 or newer" \
    "use Debian 11, Ubuntu 22.04 or anything newer"
  [ -d /run/systemd/system ] || die WEFT-E007 "systemd is not running this machine" "Weft runs its parts as systemd units"
  case $(uname -m) in
    x86_64) platform=linux-x64 ;;
    aarch64) platform=linux-arm64 ;;
    *) die WEFT-E007 "there is no Weft release for $(uname -m)" "use an x86-64 or arm64 machine" ;;
  esac
}

need_nft() {
  [ -x /usr/sbin/nft ] && return
  command -v apt-get >/dev/null 2>&1 || die WEFT-E007 "nftables is not installed" "install the package nftables"
  say "installing nftables (apt)"
  apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nftables >/dev/null ||
    die WEFT-E007 "nftables could not be installed" "install the package nftables by hand, then run this again"
}

# An earlier run may have been killed between its two renames.
recover() {
  rm -rf "$staging"
  if [ -d "$previous" ]; then
    if [ -d "$target" ]; then rm -rf "$previous"; else mv "$previous" "$target"; fi
  fi
}

# Unpacks or copies the release beside its place, and checks that it is one, and one for this machine.
stage_release() {
  mkdir -p "$staging"
  trap 'rm -rf "$staging"' EXIT
  trap 'exit 130' INT TERM HUP
  if [ -d "$from" ]; then
    for part in bin lib units install.sh catalogue.json components.sha256 BUILD VERSION LICENSE; do
      [ -e "$from/$part" ] || die WEFT-E003 "$from is no Weft release: it has no $part" "name an unpacked release or its tarball"
      cp -a "$from/$part" "$staging/" || die WEFT-E002 "copying $part to /opt failed" "look for space on /opt, then run this again"
    done
  elif [ -f "$from" ]; then
    tar -xzf "$from" -C "$staging" --strip-components=1 --no-same-owner ||
      die WEFT-E002 "unpacking $from failed" "check the file and the space on /opt, then run this again"
  else
    die WEFT-E001 "there is no $from" "name an unpacked release or its tarball"
  fi
  [ -x "$staging/lib/node" ] && [ -f "$staging/BUILD" ] ||
    die WEFT-E003 "$from is no Weft release" "name an unpacked release or its tarball"
  grep -qx "platform=$platform" "$staging/BUILD" ||
    die WEFT-E007 "this release is for another kind of machine ($(sed -n 's/^platform=//p' "$staging/BUILD"), this is $platform)" \
      "take the release for $platform"
  chown -R 0:0 "$staging"
}

# Two renames; what runs from the old folder keeps its open files.
place_release() {
  if cmp -s "$staging/BUILD" "$target/BUILD"; then
    say "release $(cat "$target/VERSION") is already in $target"
    rm -rf "$staging"
    return
  fi
  if [ -d "$target/components" ]; then cp -al "$target/components" "$staging/components"; else mkdir "$staging/components"; fi
  # the operator's, and what is judged by it goes on; under its other name where an install was killed between two renames
  [ -d "$target/cilium" ] || [ ! -d "$target/cilium.old" ] || mv "$target/cilium.old" "$target/cilium"
  [ ! -d "$target/cilium" ] || cp -al "$target/cilium" "$staging/cilium"
  find "$staging" \( -path "$staging/components" -o -path "$staging/cilium" \) -prune -o -type f -exec sync {} +
  [ ! -d "$target" ] || mv "$target" "$previous"
  mv "$staging" "$target"
  rm -rf "$previous"
  say "release $(cat "$target/VERSION") is in $target"
}

# The shipped runtime hashes five times faster than sha256sum where the processor can help.
accepted() {
  hash=$("$target/lib/node" -e '
    const hash = require("node:crypto").createHash("sha256");
    require("node:fs").createReadStream(process.argv[1], { highWaterMark: 1 << 20 }).pipe(hash)
      .on("finish", () => process.stdout.write(hash.digest("hex")));' "$1")
  grep -qx "$hash  $2" "$target/components.sha256"
}

# No hash, no install: every binary must be one that this release names.
place_components() {
  missing=
  for name in $1; do
    [ -f "$target/components/$name" ] && accepted "$target/components/$name" "$name" || missing="$missing $name"
  done
  if [ -z "$missing" ]; then
    say "components are already in $target/components"
    return
  fi
  [ -n "$components" ] || return 0
  [ -f "$components" ] || die WEFT-E001 "there is no $components" "name the weft-components-*.tar of this release"
  incoming=$target/components/.incoming
  rm -rf "$incoming"
  mkdir -p "$incoming"
  trap 'rm -rf "$incoming"' EXIT
  # shellcheck disable=SC2086 # the names are words
  tar -xf "$components" -C "$incoming" --no-same-owner $missing ||
    die WEFT-E300 "unpacking $components failed" "check the file and the space on /opt, then run this again"
  for name in $missing; do
    accepted "$incoming/$name" "$name" ||
      die WEFT-E301 "the $name in $components is not one this release accepts" "take the components file of the same release"
    chmod 0755 "$incoming/$name"
  done
  sync "$incoming"/*
  for name in $missing; do mv -f "$incoming/$name" "$target/components/$name"; done
  rm -rf "$incoming"
  trap - EXIT
  say "components are in $target/components:$missing"
}

ensure_user() {
  getent group "$1" >/dev/null || groupadd -r "$1"
  getent passwd "$1" >/dev/null || useradd -r -g "$1" -d "$2" -M -s /usr/sbin/nologin "$1"
}

remove_user() {
  ! getent passwd "$1" >/dev/null || userdel "$1"
  ! getent group "$1" >/dev/null || groupdel "$1"
}

# The programs that change users leave copies of the files before, and a lock file: those stay as they were.
with_copies_kept() {
  copies=$(mktemp -d)
  done=0
  for file in passwd- shadow- group- gshadow- .pwd.lock; do [ ! -e "/etc/$file" ] || cp -a "/etc/$file" "$copies/"; done
  "$@" || done=$?
  for file in passwd- shadow- group- gshadow- .pwd.lock; do
    if [ -e "$copies/$file" ]; then cp -a "$copies/$file" "/etc/$file"; else rm -f "/etc/$file"; fi
  done
  rm -rf "$copies"
  return "$done"
}

place_units() {
  for unit in $1; do
    cmp -s "$target/units/$unit.service" "/etc/systemd/system/$unit.service" ||
      install -m 0644 "$target/units/$unit.service" "/etc/systemd/system/$unit.service"
  done
  systemctl daemon-reload
}

install_role() {
  need_machine
  need_nft
  recover
  here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
  [ -n "$from" ] || from=$here
  if [ -z "$components" ]; then
    for file in "$(dirname -- "$from")"/weft-components-*-"$platform".tar; do [ ! -f "$file" ] || components=$file; done
  fi
  stage_release
  place_release
  trap - EXIT
  install -d -m 0755 /etc/weft
  # of a node that runs a member of the mesh's etcd: none does yet
  with_copies_kept ensure_user weft-etcd /var/lib/weft-etcd
  ln -sfn "$target/bin/weft-node-agent" /usr/local/bin/weft-node-agent
  if [ "$role" = coordinator ]; then
    # etcd is passed on to nodes that run a member of it
    place_components "spire-server spire-agent coredns etcd etcdctl etcdutl"
    ensure_user weft /var/lib/weft-coordinator
    ensure_user spire-server /var/lib/spire-server
    ln -sfn "$target/bin/weft" /usr/local/bin/weft
    place_units "$hub_units"
    systemctl try-restart weft-coordinator.service weft-node-agent.service
    say "next: weft init"
  else
    place_components "spire-agent coredns"
    place_units "$node_units"
    systemctl try-restart weft-node-agent.service
    say "next: the line that \`weft node add\` printed on the coordinator, weft-node-agent join ..."
  fi
}

uninstall() {
  need_machine
  if /usr/sbin/nft list table inet weft >/dev/null 2>&1; then
    say "the kernel still holds Weft's policy and will keep it until the next boot: run \`weft-node-agent leave\` first" >&2
  fi
  for unit in $hub_units; do
    [ -f "/etc/systemd/system/$unit.service" ] || continue
    # of a template there is nothing to disable, and its instances are stopped by `leave`
    case $unit in
      *@) ;;
      *) systemctl disable --now --quiet "$unit.service" || say "$unit did not stop" >&2 ;;
    esac
    rm -f "/etc/systemd/system/$unit.service"
  done
  systemctl daemon-reload
  rm -f /usr/local/bin/weft /usr/local/bin/weft-node-agent
  rm -rf "$staging" "$previous"
  if [ -d "$target" ]; then
    find "$target" -mindepth 1 -maxdepth 1 ! -name cilium -exec rm -rf {} +
    rmdir "$target" 2>/dev/null || say "kept $target/cilium: the programs of Cilium are the operator's"
  fi
  rmdir /etc/weft 2>/dev/null || [ ! -d /etc/weft ] || say "kept /etc/weft: it is not empty"
  kept=
  for state in /var/lib/weft /var/lib/spire-agent /var/lib/weft-etcd /var/lib/weft-coordinator /var/lib/spire-server; do
    [ -d "$state" ] || continue
    rmdir "$state" 2>/dev/null || kept="$kept $state"
  done
  if [ -n "$kept" ]; then
    say "kept state:$kept"
  else
    for user in weft weft-etcd spire-server; do with_copies_kept remove_user "$user"; done
  fi
  say "removed"
}

role=${1-}
[ $# -eq 0 ] || shift
from=
components=
while [ $# -gt 0 ]; do
  case $1 in
    --from | --components)
      [ $# -ge 2 ] || die WEFT-E001 "$1 needs a value" "see install.sh --help"
      if [ "$1" = --from ]; then from=$2; else components=$2; fi
      shift 2
      ;;
    *) die WEFT-E001 "install.sh does not know $1" "see install.sh --help" ;;
  esac
done
case $role in
  coordinator | agent) install_role ;;
  uninstall) uninstall ;;
  -h | --help) usage ;;
  *)
    usage >&2
    exit 2
    ;;
esac
