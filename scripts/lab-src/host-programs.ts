// In: programs the lab needs on this machine. Out: they are there, installed by apt if they were not.
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { isNotFound } from "@weft/shared/errors/system";
import { WeftError } from "@weft/shared/errors/weft-error";
import { narrate, type ProgressSink } from "../supply/progress.ts";
import { run } from "./run.ts";

interface HostProgram {
  readonly package: string;
  /** A file whose presence means the package is installed: a program's name, or an absolute path. */
  readonly file: string;
}

const programs = {
  ip: { package: "iproute2", file: "ip" },
  "systemd-nspawn": { package: "systemd-container", file: "systemd-nspawn" },
  dnsmasq: { package: "dnsmasq-base", file: "dnsmasq" },
  nsenter: { package: "util-linux", file: "nsenter" },
  nft: { package: "nftables", file: "nft" },
  ping: { package: "iputils-ping", file: "ping" },
  conntrack: { package: "conntrack", file: "conntrack" },
  mmdebstrap: { package: "mmdebstrap", file: "mmdebstrap" },
  // Ubuntu does not bring Debian's keys
  "debian keyring": {
    package: "debian-archive-keyring",
    file: "/usr/share/keyrings/debian-archive-keyring.gpg",
  },
} as const satisfies Record<string, HostProgram>;

export type HostProgramName = keyof typeof programs;

async function present(file: string): Promise<boolean> {
  const places = file.startsWith("/")
    ? [file]
    : (process.env["PATH"] ?? "")
        .split(delimiter)
        .concat("/usr/sbin", "/sbin")
        .map((part) => join(part, file));
  for (const place of places) {
    try {
      await access(place);
      return true;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return false;
}

export async function installHostPrograms(
  names: readonly HostProgramName[],
  progress: ProgressSink,
): Promise<void> {
  const missing: string[] = [];
  for (const name of names) if (!(await present(programs[name].file))) missing.push(programs[name].package);
  if (missing.length === 0) return;
  if (!(await present("apt-get")))
    throw new WeftError("WEFT-E007", `this machine lacks ${missing.join(", ")}`, {
      why: "they are installed with apt, and this machine has no apt",
      hint: "use a Debian or Ubuntu machine, or install them",
    });
  await narrate(progress, `lab: installing ${missing.join(", ")} (apt)`, async (note) => {
    note("apt-get update");
    await run(["apt-get", "update", "-qq"], { timeoutMs: 300_000 });
    note("apt-get install");
    const install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", ...missing] as const;
    await run(["env", "DEBIAN_FRONTEND=noninteractive", ...install], { timeoutMs: 900_000 });
  });
}
