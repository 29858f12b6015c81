// In: what `nft -j` printed of the sets that remember, and how long the machine has been up. Out: how far back the
// memory goes, and which sets carry no mark yet. Pure. No guess: the kernel counts what has run of the marks' timeout.
import { markedSets, markTimeoutSeconds } from "@weft/shared/render/nftables-memory";

export interface MemoryAge {
  /** Of the youngest of its parts; 0: some part cannot tell. */
  readonly seconds: number;
  /** Are there, and begin to remember only now. */
  readonly unmarked: readonly string[];
}

const setName = /"set": ?\{[^{}]*?"name": ?"(\w+)"/;
const mark = new RegExp(`"timeout": ?${markTimeoutSeconds}, ?"expires": ?(\\d+)`);

/** @param printed one JSON document a line @param uptime seconds: a mark that was put back from a file may be older */
export function memoryAge(printed: string, uptime: number): MemoryAge {
  const ages = new Map<string, number | undefined>();
  for (const line of printed.split("\n")) {
    const name = line.startsWith("{") ? setName.exec(line)?.[1] : undefined;
    if (name === undefined || !markedSets.includes(name)) continue;
    const left = mark.exec(line)?.[1];
    // the kernel's seconds are rounded down, so the age would be rounded up
    ages.set(name, left === undefined ? undefined : Math.max(0, markTimeoutSeconds - Number(left) - 1));
  }
  const known = markedSets.map((set) => ages.get(set) ?? 0);
  return {
    seconds: Math.floor(Math.min(uptime, ...known)),
    unmarked: markedSets.filter((set) => ages.has(set) && ages.get(set) === undefined),
  };
}
