// In: a script as it is rendered for a node, and the table as a kernel listed it for another node. Out: the table as a
// kernel would list it for this one. The chains are the same on every node, so only the elements are read, from the text
// itself. That a kernel takes and lists them so is seen on a sample (model-check).
import type { NftElement, NftSet, NftTable } from "../../packages/shared/src/kernel-verdict/ruleset.ts";

const filled = /^add element inet weft (\S+) \{\n([^}]*)\n\}$/gm;

export function readScript(script: string, sample: NftTable): NftTable {
  const sets = new Map<string, NftSet>(
    [...sample.sets].map(([name, set]) => [name, { ...set, elements: [] }]),
  );
  for (const [, name = "", body = ""] of script.matchAll(filled)) {
    const set = sets.get(name);
    if (set === undefined) throw new Error(`the script fills ${name}, which is no set`);
    sets.set(name, { ...set, elements: body.split(",\n").map(elementOf) });
  }
  return { ...sample, sets };
}

function elementOf(line: string): NftElement {
  const [, key = "", comment = ""] = /^ {2}(.*?)(?: comment "([^"]*)")?$/.exec(line) ?? [];
  const parts = key.split(" . ").map(partOf);
  return { key: parts.length === 1 ? parts[0] : { concat: parts }, verdict: undefined, comment };
}

function partOf(text: string): unknown {
  if (/^\d+$/.test(text)) return Number(text);
  const [, from, to] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  return from === undefined ? text : { range: [Number(from), Number(to)] };
}
