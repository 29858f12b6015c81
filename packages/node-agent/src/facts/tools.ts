// In: a machine, names of programs. Out: those that are there. Only clang and iptables are started: of the others nothing
// but their being there is asked.
import type { ToolFact } from "@weft/shared/model/cilium";
import { ciliumPlaces } from "@weft/shared/render/cilium-places";
import { isAtLeast } from "../decide/dotted-version.ts";
import type { Exec, Files, Host } from "../host/host.ts";
import type { Attempt } from "./attempt.ts";
import { hasBpfTarget, parseClangVersion, parseIptables } from "./parse-tool.ts";

/** The PATH that programs are started with. */
const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"] as const;

export async function findProgram(files: Files, name: string): Promise<string | undefined> {
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    const kind = (await files.info(path))?.kind;
    if (kind === "file" || kind === "symlink") return path;
  }
  return undefined;
}

const plain = { version: "", form: "" } as const;

/** What is there and does not say what it is, is listed without version and kind: that is not the same as not being there. */
export async function readTools(
  { files, exec }: Host,
  names: readonly string[],
  leastClang: string,
  attempt: Attempt,
): Promise<ToolFact[]> {
  const tools: ToolFact[] = [];
  const clang = await readClang(files, (path) =>
    attempt("clang", plain, () => askClang(exec, path, leastClang)),
  );
  if (clang !== undefined) tools.push(clang);
  for (const name of names) {
    const path = await findProgram(files, name);
    if (path === undefined) continue;
    const more =
      name === "iptables"
        ? await attempt(name, plain, async () => parseIptables(await printed(exec, path, "--version")))
        : plain;
    tools.push({ name, path, ...more });
  }
  return tools;
}

async function printed(exec: Exec, path: string, flag: string): Promise<string> {
  return (await exec.run(path, [flag])).stdout;
}

type Clang = Pick<ToolFact, "version" | "form">;

async function askClang(exec: Exec, path: string, least: string): Promise<Clang> {
  const version = parseClangVersion(await printed(exec, path, "--version"));
  if (isAtLeast(version, least) !== true) return { version, form: "" };
  return { version, form: hasBpfTarget(await printed(exec, path, "--print-targets")) ? "bpf" : "" };
}

/**
 * Distributions call it clang, clang-19, or both, and clang may be an old one. Cilium's own is asked first, where it came
 * with the programs, then the newest.
 */
async function readClang(files: Files, ask: (path: string) => Promise<Clang>): Promise<ToolFact | undefined> {
  const names = (await Promise.all(folders.map((folder) => files.list(folder)))).flat();
  const numbers = names.flatMap((name) => /^clang-(\d+)$/.exec(name)?.[1] ?? []).map(Number);
  const newest = numbers.length === 0 ? [] : [`clang-${Math.max(...numbers)}`];
  const isOwn = (await files.info(ciliumPlaces.compiler)) !== undefined;
  const places = [
    isOwn ? ciliumPlaces.compiler : undefined,
    ...(await Promise.all([...newest, "clang"].map((name) => findProgram(files, name)))),
  ];
  let best: ToolFact | undefined;
  for (const path of places) {
    if (path === undefined) continue;
    const tool = { name: "clang", path, ...(await ask(path)) };
    if (tool.form === "bpf") return tool;
    if (best === undefined || isAtLeast(tool.version, best.version || "0") === true) best = tool;
  }
  return best;
}
