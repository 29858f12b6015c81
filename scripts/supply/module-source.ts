// In: a pinned Go module and a folder. Out: its binaries, built into that folder. The sums in go.sum pin the source.
import { mkdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { WeftError } from "@weft/shared/errors/weft-error";
import { execa } from "execa";
import type { Component, GoModule } from "./catalogue.ts";
import { diskFullIn } from "./disk-full.ts";
import { findGo, type GoSearch } from "./go-toolchain.ts";
import { ensureProgram } from "./needed-program.ts";

const compiler = { command: "gcc", probe: ["--version"], packages: ["gcc", "libc6-dev"] } as const;

export async function buildModule(
  search: GoSearch,
  component: Component,
  module: GoModule,
  moduleFolder: string,
  folder: string,
  note: (text: string) => void,
): Promise<string> {
  if (module.cgo) await ensureProgram(compiler, search.signal, (text) => search.line(text));
  const go = await findGo(search, moduleFolder, module.go);
  // Go's own scratch files go beside ours, so that one removal takes everything of an interrupted build
  const scratch = join(dirname(folder), "go-tmp");
  await mkdir(scratch, { recursive: true });
  const packages = component.binaries.map(({ name }) => module.packages[name] ?? "");
  const args = ["build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", module.ldflags];
  if (module.tags.length > 0) args.push("-tags", module.tags.join(","));
  const build = execa(
    // the build must not outlive this process, however it ends
    "setpriv",
    ["--pdeathsig", "INT", go, ...args, "-o", `${folder}/`, ...packages],
    {
      cwd: moduleFolder,
      env: { CGO_ENABLED: module.cgo ? "1" : "0", GOTMPDIR: scratch, GOWORK: "off", GOFLAGS: "" },
      stdin: "ignore",
      stdout: "ignore",
      buffer: false,
      reject: false,
      cancelSignal: search.signal,
      forceKillAfterDelay: 10_000,
    },
  );
  const tail = follow(createInterface({ input: build.stderr }), note);
  const [{ exitCode }, lastLines] = await Promise.all([build, tail]);
  search.signal.throwIfAborted();
  if (exitCode === 0) {
    for (const [name, path] of Object.entries(module.packages))
      if (builtName(path) !== name) await rename(join(folder, builtName(path)), join(folder, name));
    return `module ${Object.values(module.packages)[0] ?? ""} ${component.version}`;
  }
  const text = lastLines.join("\n");
  const full = diskFullIn(text);
  if (full !== undefined) throw full;
  throw new WeftError("WEFT-E302", `${component.name} ${component.version} did not build`, {
    why: text,
    hint: "read the lines above, then run this again: what was compiled is kept by Go",
  });
}

/** What Go calls a package's binary: its last element that is no major version. */
function builtName(path: string): string {
  const elements = path.split("/");
  const last = elements.pop() ?? "";
  return /^v\d+$/.test(last) ? (elements.pop() ?? last) : last;
}

/** Counts what Go says and keeps the end of it for an error. */
async function follow(
  lines: AsyncIterable<string>,
  note: (text: string) => void,
): Promise<readonly string[]> {
  const last: string[] = [];
  let compiled = 0;
  let fetched = 0;
  for await (const text of lines) {
    if (text.startsWith("go: downloading ")) {
      fetched += 1;
      note(`${fetched} modules fetched, now ${text.slice("go: downloading ".length)}`);
    } else {
      if (/^[\w.-]+(\/[\w.-]+)*$/.test(text)) {
        compiled += 1;
        note(`${compiled} packages compiled, now ${text}`);
      }
      last.push(text);
      if (last.length > 15) last.shift();
    }
  }
  return last;
}
