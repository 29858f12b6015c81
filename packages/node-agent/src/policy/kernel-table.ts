// In: nft scripts. Out: the kernel's table `inet weft` as it is, and changes to it. The only place that runs nft.
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import {
  type ArmedState,
  parseArmed,
  parseArmedAge,
  parseKernelRevision,
  parseListedTable,
  renderRemoval,
  withoutPassing,
} from "@weft/shared/render/nftables";
import { forgetting } from "@weft/shared/render/nftables-memory";
import { otherSlot, type Slot } from "@weft/shared/render/nftables-slots";
import type { Exec, ExecOptions } from "../host/host.ts";

export interface KernelTable {
  readonly revision: number;
  readonly digest: string;
  /** Of the rules as the kernel has them, without counters and dynamic elements. */
  readonly fingerprint: string;
  /** Digest of the candidate that judges now; undefined: none. */
  readonly armed: string | undefined;
  /** Of what stands in each slot, by names without the slot. */
  readonly slots: Readonly<Record<Slot, string>>;
  /** Of what is in no slot, whichever of them it chooses. */
  readonly frame: string;
}

/** Fingerprints of a table's parts when a policy alone is in it. Empty: not known. */
export interface TableParts {
  /** Of its own slot. */
  readonly slot: string;
  /** The other slot. The same for every policy of a release. */
  readonly empty: string;
  /** What is in no slot. The same for every policy of a release. */
  readonly frame: string;
}

export const unknownParts: TableParts = { slot: "", empty: "", frame: "" };

export function partsOf({ slots, frame }: KernelTable, slot: Slot): TableParts {
  return { slot: slots[slot], empty: slots[otherSlot(slot)], frame };
}

/** Nothing is in it besides a policy in that slot, as far as is known what else belongs there. */
export function isAlone(table: KernelTable, slot: Slot, { empty, frame }: TableParts): boolean {
  const now = partsOf(table, slot);
  return (empty === "" || now.empty === empty) && (frame === "" || now.frame === frame);
}

const loadTimeoutMs = 30_000;

/** What nft printed last and what that came to: parsing it again every few seconds is most of an idle agent's work. */
export class TableMemory {
  #text = "";
  #table: KernelTable | undefined;

  of(printed: string): KernelTable {
    const text = withoutPassing(printed);
    if (this.#table !== undefined && text === this.#text) return this.#table;
    this.#table = tableOf(printed);
    this.#text = text;
    return this.#table;
  }
}

function tableOf(printed: string): KernelTable {
  const { carried, ...rest } = parseListedTable(printed);
  return { revision: carried?.revision ?? 0, digest: carried?.digest ?? "", ...rest };
}

/** undefined: there is no such table. */
export async function readKernelTable(
  exec: Exec,
  memory: TableMemory = new TableMemory(),
): Promise<KernelTable | undefined> {
  const args = ["-j", "list", "table", "inet", "weft"];
  const { code, stdout, stderr } = await exec.run("nft", args, { allow: [0, 1] });
  if (code !== 0) {
    if (/No such file or directory/.test(stderr)) return undefined;
    throw new WeftError("WEFT-E400", "the kernel's rules cannot be read", { why: stderr.trim() });
  }
  return memory.of(stdout);
}

/** What readKernelTable says of the revision, at a tenth of the cost. undefined: no rules of a revision are loaded. */
export async function readCarried(exec: Exec): Promise<Pick<KernelTable, "revision" | "digest"> | undefined> {
  const printed = await listSet(exec, "rev");
  return printed === undefined ? undefined : parseKernelRevision(printed);
}

/** undefined: no candidate judges, because none was armed, its time is over, or there is no table of this release. */
export async function readArmed(exec: Exec): Promise<ArmedState | undefined> {
  const printed = await listSet(exec, "armed");
  return printed === undefined ? undefined : parseArmed(printed);
}

/** For how many ms the kernel has judged by what is armed, by its own clock. undefined: nothing is armed. */
export async function readArmedAge(exec: Exec): Promise<number | undefined> {
  const printed = await listSet(exec, "armed", []);
  return printed === undefined ? undefined : parseArmedAge(printed);
}

/** undefined: there is no such set. */
async function listSet(
  exec: Exec,
  name: string,
  form: readonly string[] = ["-j"],
): Promise<string | undefined> {
  const args = [...form, "list", "set", "inet", "weft", name];
  const { code, stdout, stderr } = await exec.run("nft", args, { allow: [0, 1] });
  if (code === 0) return stdout;
  if (/No such file or directory/.test(stderr)) return undefined;
  throw new WeftError("WEFT-E400", "the kernel's rules cannot be read", { why: stderr.trim() });
}

async function nft(
  exec: Exec,
  args: readonly string[],
  more: Pick<ExecOptions, "input" | "started">,
): Promise<void> {
  try {
    await exec.run("nft", args, { timeoutMs: loadTimeoutMs, ...more });
  } catch (failure) {
    if (!isWeftError(failure) || failure.code !== "WEFT-E004") throw failure;
    throw new WeftError("WEFT-E400", "the kernel refused the rules", {
      ...(failure.why === undefined ? {} : { why: failure.why }),
      hint: "the rules before stay in force",
      cause: failure,
    });
  }
}

/**
 * Somebody else's hand was in the rules: what passed meanwhile was not counted. Called before they are put right: after a
 * crash between the two the memory of flows is too young, never too old.
 */
export async function forgetMemory(exec: Exec, started?: (pid: number) => void): Promise<void> {
  // of a table that is gone, or of an older release, there is nothing to forget
  const allow = [0, 1];
  await exec.run("nft", forgetting, started === undefined ? { allow } : { allow, started });
}

/** Whatever else somebody has put into the table goes: chains of his own, or ours with another hook or priority. */
function replaceTable(exec: Exec, script: string, started?: (pid: number) => void): Promise<void> {
  const input = `${renderRemoval()}${script}`;
  return nft(exec, ["-f", "-"], started === undefined ? { input } : { input, started });
}

/**
 * A file, and nothing besides: what a plain load leaves of other hands in the table goes with the table.
 * @param isRight by what the kernel then has @returns what it has in the end
 */
export async function loadAlone(
  exec: Exec,
  { path, text }: { readonly path: string; readonly text: string },
  isRight: (table: KernelTable | undefined) => boolean,
  { memory, started }: { readonly memory?: TableMemory; readonly started?: (pid: number) => void } = {},
): Promise<KernelTable | undefined> {
  try {
    await loadFile(exec, path, started);
    const table = await readKernelTable(exec, memory);
    if (isRight(table)) return table;
  } catch (failure) {
    if (!isWeftError(failure)) throw failure;
  }
  await replaceTable(exec, text, started);
  return readKernelTable(exec, memory);
}

/** One transaction: all of it or nothing. */
export function loadScript(exec: Exec, script: string): Promise<void> {
  return nft(exec, ["-f", "-"], { input: script });
}

export function loadFile(exec: Exec, path: string, started?: (pid: number) => void): Promise<void> {
  return nft(exec, ["-f", path], started === undefined ? {} : { started });
}

export function checkFile(exec: Exec, path: string): Promise<void> {
  return nft(exec, ["-c", "-f", path], {});
}
