// How far back a node's memory of flows goes, by the kernel's own count: a mark in every set that remembers, with a
// timeout that never comes. What has run of it is the age of the memory; a table that is deleted and a set that is
// emptied take their marks with them. No packet can touch a mark: its protocol is neither TCP nor UDP. Pure.

/** Not of a set that remembers, but of the rules that fill them: taken away when somebody else's hand was in the rules. */
const rulesMark = "memory";

export const markSets: readonly { readonly name: string; readonly spec: string }[] = [
  { name: rulesMark, spec: "type mark; flags timeout;" },
];

const days = 3650;
/** As `nft -j` prints it. No other element has it. */
export const markTimeoutSeconds = days * 24 * 3600;

const keys: ReadonlyMap<string, string> = new Map([
  [rulesMark, "1"],
  ...[4, 6].flatMap((family) => {
    const nowhere = `${family === 4 ? "0.0.0.0" : "::"} . 255 . 0`;
    return [
      [`seen_in${family}`, nowhere],
      [`seen_out${family}`, `${nowhere} . 0`],
      [`seen_mesh_in${family}`, nowhere],
      [`seen_mesh_out${family}`, `${nowhere} . 0`],
      [`seen_guard_in${family}`, nowhere],
    ] as const;
  }),
]);

export const markedSets: readonly string[] = [...keys.keys()];

/** A line, and so a transaction, for each: one that is full does not keep the others from being marked. */
export function renderMarks(sets: readonly string[]): string {
  return sets
    .flatMap((set) => {
      const key = keys.get(set);
      return key === undefined
        ? []
        : [`add element inet weft ${set} { ${key} timeout ${days}d comment "memory" }\n`];
    })
    .join("");
}

/** What passed while the rules were not ours was not counted: the memory begins anew. Words of an nft command. */
export const forgetting: readonly string[] = ["flush", "set", "inet", "weft", rulesMark];
