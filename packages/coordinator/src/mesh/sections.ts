// In: the files of a mesh. Out: one collection of sections with every entry once, and what does not fit together.
// Pure. A directory is merged by name: every file says `weft: v1`, and nothing may be said twice.
import type { Place, Problem } from "@weft/shared/model/mesh";
import { labelForm } from "@weft/shared/model/text-forms";
import type { Cursor } from "./cursor.ts";
import { errorAt } from "./problem.ts";
import { type MeshSource, readYaml } from "./read-yaml.ts";
import { unknownKey } from "./shape-problems.ts";

const single = ["mesh", "trustDomain", "dns", "guard", "baseline", "defaults", "rollout", "cilium"] as const;
const named = ["nodes", "services"] as const;
const topKeys: readonly string[] = ["weft", ...single, ...named, "policies"];

export interface Sections {
  /** Of the first file. */
  readonly start: Place;
  readonly single: ReadonlyMap<string, Cursor>;
  readonly nodes: ReadonlyMap<string, Cursor>;
  readonly services: ReadonlyMap<string, Cursor>;
  readonly policies: readonly Cursor[];
}

export function readSections(sources: readonly MeshSource[]): {
  readonly sections: Sections | undefined;
  readonly problems: Problem[];
} {
  const problems: Problem[] = [];
  const sorted = [...sources].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const found = {
    start: { file: sorted[0]?.name ?? "mesh.yaml", line: 1, column: 1 },
    single: new Map<string, Cursor>(),
    nodes: new Map<string, Cursor>(),
    services: new Map<string, Cursor>(),
    policies: [] as Cursor[],
  };
  if (sources.length === 0) problems.push(errorAt(found.start, "there is no mesh file"));
  let readable = sources.length > 0;
  for (const source of sorted) {
    const read = readYaml(source);
    problems.push(...read.problems);
    if (read.root === undefined) readable = false;
    else problems.push(...versionProblems(read.root), ...addFile(found, read.root));
  }
  return { sections: readable ? found : undefined, problems };
}

function versionProblems(root: Cursor): Problem[] {
  const entry = root.entries().find(([name]) => name === "weft")?.[1];
  if (entry === undefined) return [errorAt(root.place, '"weft" is missing', { allowed: "weft: v1" })];
  if (entry.value === "v1") return [];
  return [
    errorAt(entry.place, `this program does not know version ${JSON.stringify(entry.value)}`, {
      allowed: "v1",
    }),
  ];
}

interface Collected {
  readonly single: Map<string, Cursor>;
  readonly nodes: Map<string, Cursor>;
  readonly services: Map<string, Cursor>;
  readonly policies: Cursor[];
}

function addFile(found: Collected, root: Cursor): Problem[] {
  return root.entries().flatMap(([key, cursor]) => {
    if (key === "weft") return [];
    if (single.some((name) => name === key)) return addOnce(found.single, key, cursor, `"${key}"`);
    if (key === "nodes") return addNamed(found.nodes, cursor, "node");
    if (key === "services") return addNamed(found.services, cursor, "service");
    if (key === "policies") return addPolicies(found.policies, cursor);
    return [unknownKey({ section: "", entry: root, keysAt: () => topKeys }, [], key)];
  });
}

function addOnce(into: Map<string, Cursor>, name: string, cursor: Cursor, what: string): Problem[] {
  const before = into.get(name);
  if (before === undefined) {
    into.set(name, cursor);
    return [];
  }
  const { file, line } = before.keyPlace;
  // twice in one file is told as a duplicate key
  if (file === cursor.keyPlace.file) return [];
  return [errorAt(cursor.keyPlace, `${what} is given twice, first in ${file}:${line}`)];
}

function addNamed(into: Map<string, Cursor>, section: Cursor, what: string): Problem[] {
  if (section.value === null) return [];
  if (typeof section.value !== "object" || Array.isArray(section.value))
    return [
      errorAt(section.place, `"${what}s" is no map`, {
        allowed: `a map from a ${what}'s name to the ${what}`,
      }),
    ];
  return section.entries().flatMap(([name, cursor]) => {
    if (labelForm.parse(name) === undefined)
      return [
        errorAt(cursor.keyPlace, `${JSON.stringify(name.slice(0, 80))} is no ${what} name`, {
          allowed: labelForm.allowed,
          near: labelForm.near?.(name),
        }),
      ];
    return addOnce(into, name, cursor, `${what} "${name}"`);
  });
}

function addPolicies(into: Cursor[], section: Cursor): Problem[] {
  if (section.value === null) return [];
  if (!Array.isArray(section.value))
    return [
      errorAt(section.place, '"policies" is no list', { allowed: "a list of policies, each with a name" }),
    ];
  into.push(...section.items());
  return [];
}
