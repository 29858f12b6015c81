// In: the host. Out: every piece of evidence on who owns its resolver, read once, nothing changed. The decision over it
// is in decide-owner.ts and decide-dns-mode.ts.
import { isWeftError } from "@weft/shared/errors/weft-error";
import { isOurResolvConf, parseResolvConf } from "@weft/shared/render/resolv-conf";
import type { Host } from "../host/host.ts";
import { originalText, readOriginal } from "./original.ts";
import {
  claimedAuthor,
  isImmutable,
  mountOf,
  nssAsksResolved,
  parseMountInfo,
  resolvconfKind,
} from "./parse-evidence.ts";

export const resolvConfPath = "/etc/resolv.conf";

export interface DnsEnv {
  readonly resolvConf: {
    readonly kind: "missing" | "file" | "symlink" | "other";
    readonly target: string | undefined;
    /** A link to nothing. */
    readonly dangling: boolean;
    /** Our marker is on line 1. */
    readonly ours: boolean;
    /** Who the comments on top say made it. */
    readonly author: string | undefined;
  };
  /** A mount of its own (containers do that), so it cannot be renamed over. */
  readonly mounted: boolean;
  readonly readOnly: boolean;
  /** undefined: could not be found out. */
  readonly immutable: boolean | undefined;
  /** "Mode/RcManager" of NetworkManager on D-Bus, or undefined when it is not there. */
  readonly networkManager: string | undefined;
  readonly resolvedOnBus: boolean;
  /** How a lookup through nss comes to systemd-resolved, or undefined when it does not. */
  readonly nssReachesResolved: "stub-link" | "nsswitch" | "stub-address" | undefined;
  readonly resolvconf: "debian" | "openresolv" | "none";
  /** Running programs that write resolv.conf by themselves. */
  readonly writers: readonly string[];
  /** Servers of the host before it was taken over. */
  readonly nameservers: readonly string[];
  /** What could not be read; a decision with gaps changes nothing. */
  readonly gaps: readonly string[];
}

const writerNames = new Set(["dhclient", "dhcpcd", "udhcpc", "connmand", "netconfig"]);

export async function observeDnsEnv(host: Host): Promise<DnsEnv> {
  const gaps: string[] = [];
  const info = await host.files.info(resolvConfPath);
  const current = await currentText(host);
  const ours = current !== undefined && isOurResolvConf(current);
  const original = ours ? await readOriginal(host.files) : undefined;
  const before = (original === undefined ? undefined : originalText(original)) ?? current ?? "";
  const target = info?.target;
  const nameservers = parseResolvConf(before).nameservers;
  const mounts = parseMountInfo((await host.files.readText("/proc/self/mountinfo")) ?? "");
  const bus = new Bus(host, gaps);
  const networkManager = await bus.networkManager();
  const resolvedOnBus = await bus.has("org.freedesktop.resolve1");
  const asksResolved = nssAsksResolved((await host.files.readText("/etc/nsswitch.conf")) ?? "");
  return {
    resolvConf: {
      kind: info === undefined ? "missing" : info.kind === "directory" ? "other" : info.kind,
      target,
      dangling: target !== undefined && current === undefined,
      ours,
      author: ours ? undefined : claimedAuthor(before),
    },
    mounted: mounts.some((mount) => mount.point === resolvConfPath),
    readOnly: mountOf(mounts, resolvConfPath)?.readOnly ?? false,
    immutable: info?.kind === "file" ? await immutable(host) : false,
    networkManager,
    resolvedOnBus,
    nssReachesResolved: target?.endsWith("/systemd/resolve/stub-resolv.conf")
      ? "stub-link"
      : asksResolved
        ? "nsswitch"
        : nameservers.length > 0 && nameservers.every((server) => server === "127.0.0.53")
          ? "stub-address"
          : undefined,
    // Debian's does not know --version and says so with exit 99, which tells it as well
    resolvconf: resolvconfKind((await outputOf(host, "resolvconf", ["--version"], [0, 1, 99])) ?? ""),
    writers: await runningWriters(host),
    nameservers,
    gaps,
  };
}

/** Of the file itself or of what the link leads to; one character per byte. */
async function currentText(host: Host): Promise<string | undefined> {
  const bytes = await host.files.read(resolvConfPath);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("latin1");
}

async function immutable(host: Host): Promise<boolean | undefined> {
  // e2fsprogs is not on every machine; then the rename itself finds out, and changes nothing
  return isImmutable((await outputOf(host, "lsattr", ["-d", resolvConfPath])) ?? "");
}

/** What a program printed, or undefined when it is absent or fails. */
async function outputOf(
  host: Host,
  program: string,
  args: readonly string[],
  allow: readonly number[] = [0],
): Promise<string | undefined> {
  try {
    const result = await host.exec.run(program, args, { timeoutMs: 5000, allow });
    return `${result.stdout}${result.stderr}`;
  } catch (failure) {
    if (isWeftError(failure)) return undefined;
    throw failure;
  }
}

/** Only programs in our own network namespace: a container's DHCP client writes the container's file. */
async function runningWriters(host: Host): Promise<string[]> {
  const own = (await host.files.info("/proc/self/ns/net"))?.target;
  const found = new Set<string>();
  for (const entry of await host.files.list("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const name = (await processName(host, entry))?.trim();
    if (name === undefined || !writerNames.has(name)) continue;
    const theirs = await namespaceOf(host, entry);
    if (own === undefined || theirs === undefined || theirs === own) found.add(name);
  }
  return [...found].sort((a, b) => a.localeCompare(b, "en"));
}

async function processName(host: Host, pid: string): Promise<string | undefined> {
  return await unlessGone(() => host.files.readText(`/proc/${pid}/comm`));
}

async function namespaceOf(host: Host, pid: string): Promise<string | undefined> {
  return (await unlessGone(() => host.files.info(`/proc/${pid}/ns/net`)))?.target;
}

/** A process may end between two looks (ESRCH), or hide its namespaces. */
async function unlessGone<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await look();
  } catch (failure) {
    if (isWeftError(failure)) return undefined;
    throw failure;
  }
}

class Bus {
  readonly #host: Host;
  readonly #gaps: string[];

  constructor(host: Host, gaps: string[]) {
    this.#host = host;
    this.#gaps = gaps;
  }

  /** Asks the bus itself, so that looking does not start a service that is not running. */
  async has(name: string): Promise<boolean> {
    if ((await this.#host.files.info("/run/dbus/system_bus_socket")) === undefined) return false;
    const args = [
      "call",
      "org.freedesktop.DBus",
      "/org/freedesktop/DBus",
      "org.freedesktop.DBus",
      "NameHasOwner",
    ];
    const answer = await outputOf(this.#host, "busctl", ["--system", ...args, "s", name]);
    if (answer?.trim() === "b true") return true;
    if (answer?.trim() !== "b false") this.#gaps.push(`D-Bus did not say whether ${name} is there`);
    return false;
  }

  async networkManager(): Promise<string | undefined> {
    const name = "org.freedesktop.NetworkManager";
    if (!(await this.has(name))) return undefined;
    const values = [];
    for (const property of ["Mode", "RcManager"]) {
      const args = ["get-property", name, "/org/freedesktop/NetworkManager/DnsManager", `${name}.DnsManager`];
      const answer = await outputOf(this.#host, "busctl", ["--system", ...args, property]);
      values.push(/^s "(.*)"/.exec(answer ?? "")?.[1] ?? "?");
    }
    return values.join("/");
  }
}
