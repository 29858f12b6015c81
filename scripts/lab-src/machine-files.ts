// In: a machine's description. Out: the files that make the common Debian root this machine (pure).
import { addressCommands } from "./network.ts";
import { address4, type MachineSpec, upstreamHost } from "./topology.ts";

export type RootFile =
  | { readonly path: string; readonly text: string; readonly mode: number }
  | { readonly path: string; readonly link: string }
  | { readonly path: string; readonly absent: true };

const maskLink = "/dev/null";

export function machineFiles(machine: MachineSpec, machineId: string): RootFile[] {
  const file = (path: string, text: string, mode = 0o644): RootFile => ({ path, text, mode });
  return [
    file("etc/hostname", `${machine.name}\n`),
    file("etc/machine-id", `${machineId}\n`, 0o444),
    file(
      "etc/hosts",
      `127.0.0.1 localhost\n127.0.1.1 ${machine.name}\n::1 localhost ip6-localhost ip6-loopback\n`,
    ),
    file("etc/lab-network", `${addressCommands(machine.host).join("\n")}\n`),
    ...(machine.resolver === "resolved" ? resolvedFiles() : plainFiles()),
  ];
}

function resolvedFiles(): RootFile[] {
  return [
    {
      path: "etc/systemd/resolved.conf.d/lab.conf",
      text: `[Resolve]\nDNS=${address4(upstreamHost)}\nFallbackDNS=\nLLMNR=no\nMulticastDNS=no\nDNSSEC=no\n`,
      mode: 0o644,
    },
    { path: "etc/resolv.conf", link: "../run/systemd/resolve/stub-resolv.conf" },
    { path: "etc/nsswitch.conf", text: nsswitch("files resolve [!UNAVAIL=return] dns"), mode: 0o644 },
  ];
}

function plainFiles(): RootFile[] {
  return [
    { path: "etc/systemd/system/systemd-resolved.service", link: maskLink },
    { path: "etc/systemd/system/sysinit.target.wants/systemd-resolved.service", absent: true },
    { path: "etc/systemd/system/dbus-org.freedesktop.resolve1.service", absent: true },
    { path: "etc/resolv.conf", text: `nameserver ${address4(upstreamHost)}\n`, mode: 0o644 },
    { path: "etc/nsswitch.conf", text: nsswitch("files dns"), mode: 0o644 },
  ];
}

function nsswitch(hosts: string): string {
  return `${[
    "passwd:         files systemd",
    "group:          files systemd",
    "shadow:         files systemd",
    "gshadow:        files systemd",
    "",
    `hosts:          ${hosts}`,
    "networks:       files",
    "",
    "protocols:      db files",
    "services:       db files",
    "ethers:         db files",
    "rpc:            db files",
    "",
    "netgroup:       nis",
  ].join("\n")}\n`;
}
