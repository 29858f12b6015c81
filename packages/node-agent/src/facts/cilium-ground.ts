// In: a machine, its kernel's release, its mounts. Out: what decides, beside the other facts, whether it can run Cilium.
import { type CiliumGround, nothingKnown, type PortFact } from "@weft/shared/model/cilium";
import { ciliumUnit } from "@weft/shared/render/cilium-places";
import { type CiliumRelease, ciliumReleases } from "../decide/cilium-releases.ts";
import { isAtLeast } from "../decide/dotted-version.ts";
import type { Files, Host } from "../host/host.ts";
import type { Attempt } from "./attempt.ts";
import { type KernelOptions, readKernelOptions } from "./kernel-options.ts";
import { portFacts } from "./port-holders.ts";
import { findProgram, readTools } from "./tools.ts";

export interface GroundQuestion {
  readonly host: Host;
  /** Release of the kernel. */
  readonly kernel: string;
  /** File system types by place. */
  readonly mounts: ReadonlyMap<string, string>;
  readonly attempt: Attempt;
}

/** What any of the releases asks for, each once. */
function asked<T>(of: (release: CiliumRelease) => readonly T[], key: (item: T) => string): T[] {
  return [...new Map(ciliumReleases.flatMap(of).map((item) => [key(item), item])).values()];
}

export async function readCiliumGround(question: GroundQuestion): Promise<CiliumGround> {
  const { host, kernel, mounts, attempt } = question;
  const { files } = host;
  const names = asked(
    (release) => release.options,
    ({ name }) => name,
  ).map(({ name }) => name);
  const tools = asked(
    (release) => release.tools,
    ({ name }) => name,
  ).map(({ name }) => name);
  const leastClang = ciliumReleases
    .map(({ clang }) => clang)
    .reduce((most, clang) => (isAtLeast(clang, most) === true ? clang : most));
  const options = await attempt("kernel options", nothingKnown, () =>
    readKernelOptions(files, kernel, names),
  );
  return {
    kernelConfig: options.kernelConfig,
    kernelOptions: options.kernelOptions,
    loadsModules: await attempt("kernel modules", false, () => loadsModules(files, kernel, options)),
    cgroup2At: cgroup2Place(mounts),
    tools: await attempt("tools", [], () => readTools(host, tools, leastClang, attempt)),
    ports: await attempt("ports", [], () => readPorts(host)),
  };
}

/**
 * The sandbox of the agent hides the folder of modules. A configuration in /boot came with the kernel's package, and so
 * did its modules; with another one the folder has to be seen.
 */
async function loadsModules(files: Files, kernel: string, options: KernelOptions): Promise<boolean> {
  if (!options.kernelOptions.some(({ value }) => value === "m")) return false;
  if ((await findProgram(files, "modprobe")) === undefined) return false;
  if (options.kernelConfig.startsWith("/boot/")) return true;
  return (await files.list("/lib/modules")).includes(kernel);
}

/** The machine's own; the second is where both hierarchies are mounted, the third what Cilium mounts itself. */
const cgroup2Places = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/run/cilium/cgroupv2"] as const;

function cgroup2Place(mounts: ReadonlyMap<string, string>): string {
  return cgroup2Places.find((place) => mounts.get(place) === "cgroup2") ?? "";
}

/** While Weft's own agent runs here, it is who holds them. */
async function readPorts({ files, units }: Host): Promise<PortFact[]> {
  const table = async (name: string) => (await files.readText(`/proc/net/${name}`)) ?? "";
  const needs = asked(
    (release) => release.ports,
    ({ port, protocol }) => `${port}/${protocol}`,
  );
  const [tcp, tcp6, udp, udp6] = await Promise.all(["tcp", "tcp6", "udp", "udp6"].map(table));
  if (!tcp || !udp) throw new Error("the tables of sockets in /proc/net cannot be read");
  const { active } = await units.state(ciliumUnit);
  if (active === "active") return needs.map(({ port, protocol }) => ({ port, protocol, holder: "" }));
  return portFacts(needs, { tcp: { v4: tcp, v6: tcp6 ?? "" }, udp: { v4: udp, v6: udp6 ?? "" } });
}
