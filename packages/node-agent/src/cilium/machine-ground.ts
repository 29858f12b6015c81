// In: this machine. Out: what its agent of Cilium needs of it and gets from no coordinator: programs, a compiler, a device.
import { asList, asObject, asText } from "@weft/shared/kernel-verdict/json";
import { ciliumPlaces } from "@weft/shared/render/cilium-places";
import type { FileInfo, Host } from "../host/host.ts";

export interface MachineGround {
  /** The link that holds the node's address. */
  readonly device: string;
  /** Of that link. */
  readonly mtu: number;
  readonly compiler: string;
  /** Other bytes, another text: other programs. */
  readonly programs: string;
}

const programs = ["cilium-agent", "cilium-dbg", "bpf"];
const compilerName = /^clang-(?<version>[0-9]+)$/;
const oldestCompiler = 18;
const programFolder = "/usr/bin";

/** A text says what is missing. */
export async function machineGround(host: Host, address: string): Promise<MachineGround | string> {
  const identities: string[] = [];
  for (const program of programs) {
    const info = await host.files.info(`${ciliumPlaces.programs}/${program}`);
    if (info === undefined) return `${ciliumPlaces.programs}/${program} is not there`;
    identities.push(identityOf(program, info));
  }
  const compiler = await compilerOf(host);
  if (compiler === undefined)
    return `no clang ${oldestCompiler} or newer in ${programFolder}: install package clang-19`;
  const link = await linkOf(host, address);
  return link === undefined
    ? `no link has the address ${address}`
    : { ...link, compiler, programs: identities.join("") };
}

/** Not its hash: that would be 150 MB every few seconds. A copy of a release, whose links keep the times, is no other. */
function identityOf(program: string, { kind, size, modified }: FileInfo): string {
  // of a folder the size says nothing that its time does not
  return `${program} ${kind === "directory" ? "" : `${size} `}${modified}\n`;
}

/** The programs' own, which they were built with; one that carries its version in its name, as packages do; else clang itself, whose age the verdict knows. */
async function compilerOf({ files }: Host): Promise<string | undefined> {
  if ((await files.info(ciliumPlaces.compiler)) !== undefined) return ciliumPlaces.compiler;
  const names = await files.list(programFolder);
  const versions = names.flatMap((name) => Number(compilerName.exec(name)?.groups?.["version"] ?? []));
  const newest = Math.max(0, ...versions);
  if (newest >= oldestCompiler) return `${programFolder}/clang-${newest}`;
  return names.includes("clang") ? `${programFolder}/clang` : undefined;
}

async function linkOf(
  { exec }: Host,
  address: string,
): Promise<Pick<MachineGround, "device" | "mtu"> | undefined> {
  const { stdout } = await exec.run("ip", ["-json", "-4", "address", "show", "to", `${address}/32`]);
  const [first] = asList(JSON.parse(stdout)) ?? [];
  const link = asObject(first);
  const device = asText(link?.["ifname"]);
  const mtu = link?.["mtu"];
  return device === undefined || typeof mtu !== "number" ? undefined : { device, mtu };
}
