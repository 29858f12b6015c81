// In: the kind of root. Out: what that Debian root is made of (pure), and a digest by which it is cached.
import { createHash } from "node:crypto";
import type { RootFile } from "./machine-files.ts";

export const suite = "bookworm";

const packages: readonly string[] = [
  "systemd",
  "systemd-sysv",
  "dbus",
  "systemd-resolved",
  "libnss-resolve",
  "nftables",
  "iproute2",
  "iputils-ping",
  "procps",
  "conntrack",
  "netcat-openbsd",
  "kmod",
  "passwd",
  "perl-base",
];

/** "rivals": also what Weft is measured against (scripts/bench policy). "cilium": what Cilium's agent needs beside it. */
export type RootKind = "plain" | "rivals" | "cilium";

const extraPackages: Readonly<Record<RootKind, readonly string[]>> = {
  plain: [],
  rivals: ["openssh-server", "openssh-client", "etcd-server", "etcd-client", "ansible-core"],
  cilium: ["clang-19", "iptables", "ipset", "etcd-server", "curl"],
};

export function packagesOf(kind: RootKind): readonly string[] {
  return [...packages, ...extraPackages[kind]];
}

/** Paths left out of every package: documentation is the largest part nobody reads in a lab. */
export const excludedPaths: readonly string[] = [
  "/usr/share/doc/*",
  "/usr/share/man/*",
  "/usr/share/locale/*",
  "/usr/share/info/*",
  // applied at boot they would change kernel settings of the machine that carries the lab
  "/usr/lib/sysctl.d/*",
];

/** Units of a stock Debian that need hardware, a terminal or the Internet, or only make the boot slower. */
const maskedUnits: readonly string[] = [
  "apt-daily.timer",
  "apt-daily-upgrade.timer",
  "console-getty.service",
  "dev-hugepages.mount",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "e2scrub_reap.service",
  "fstrim.timer",
  "getty@tty1.service",
  "modprobe@.service",
  "sys-fs-fuse-connections.mount",
  "sys-kernel-config.mount",
  "systemd-modules-load.service",
  "systemd-pstore.service",
  "systemd-remount-fs.service",
  "systemd-update-utmp.service",
  "systemd-update-utmp-runlevel.service",
];

// as early as a classic Debian brings its network up: rules loaded before network-pre.target are there first
const networkUnit = `[Unit]
Description=Addresses of this lab machine
DefaultDependencies=no
Wants=network-pre.target network.target
After=network-pre.target local-fs.target systemd-sysctl.service
Before=network.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/ip -batch /etc/lab-network

[Install]
WantedBy=multi-user.target
`;

// systemd mounts this by itself, but not in a container
const bpffsUnit = `[Unit]
Description=BPF file system, as on a machine that is no container
DefaultDependencies=no
Before=sysinit.target
ConditionPathIsMountPoint=!/sys/fs/bpf

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/mount -t bpf -o nosuid,nodev,noexec,mode=700 bpf /sys/fs/bpf
`;

/** They listen only when they are measured. */
const rivalUnits: readonly string[] = ["etcd.service", "ssh.service", "ssh.socket"];

function unit(name: string, text: string, wantedBy: string): RootFile[] {
  return [
    { path: `etc/systemd/system/${name}`, text, mode: 0o644 },
    { path: `etc/systemd/system/${wantedBy}.wants/${name}`, link: `../${name}` },
  ];
}

export function rootFiles(kind: RootKind): RootFile[] {
  const masked = kind === "plain" ? maskedUnits : [...maskedUnits, ...rivalUnits];
  return [
    ...masked.map((name): RootFile => ({ path: `etc/systemd/system/${name}`, link: "/dev/null" })),
    // started by D-Bus when somebody needs it (`systemctl reboot` does), not at every boot
    { path: "usr/lib/systemd/system/multi-user.target.wants/systemd-logind.service", absent: true },
    ...unit("lab-network.service", networkUnit, "multi-user.target"),
    ...unit("lab-bpffs.service", bpffsUnit, "sysinit.target"),
    // Storage=auto keeps the journal across reboots when this directory exists
    { path: "var/log/journal/.keep", text: "", mode: 0o644 },
    { path: "etc/systemd/journald.conf.d/lab.conf", text: "[Journal]\nSystemMaxUse=64M\n", mode: 0o644 },
  ];
}

export function recipeDigest(architecture: string, kind: RootKind): string {
  const files = rootFiles(kind);
  const recipe = JSON.stringify({ architecture, suite, packages: packagesOf(kind), excludedPaths, files });
  return createHash("sha256").update(recipe).digest("hex").slice(0, 16);
}
