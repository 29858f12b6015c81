// What a node's own floor refused of a desired state, and how it is said.

/** Of every machine. Nothing of Weft writes it. */
export const floorPath = "/etc/weft/floor.yaml";

/** "none": there is no file. "broken": it cannot be trusted, so what is in force stays and nothing new is taken. */
export type FloorState = "none" | "in-force" | "broken";

export interface FloorRefusal {
  /** Of floor.yaml; 0: a bound that is built into the agent. */
  readonly line: number;
  /** Of the mesh file, as the coordinator says; empty: no policy stands behind it. */
  readonly policy: string;
  readonly file: string;
  readonly ruleLine: number;
  /** What was refused, in a few words. */
  readonly what: string;
}

export interface FloorReport {
  readonly state: FloorState;
  readonly refusals: readonly FloorRefusal[];
  /** Refusals that are not listed. */
  readonly leftOut: number;
}

export const mostFloorRefusals = 50;
export const longestRefusal = 160;

export const noFloor: FloorReport = { state: "none", refusals: [], leftOut: 0 };

/** "floor.yaml:4 refused policy ops (mesh.yaml:12): from 0.0.0.0/0" */
export function refusalSentence({ line, policy, file, ruleLine, what }: FloorRefusal): string {
  const bound = line === 0 ? "the agent" : `floor.yaml:${line}`;
  const rule = policy === "" ? "" : ` policy ${policy} (${file}:${ruleLine}):`;
  return `${bound} refused${rule} ${what}`;
}

/** "its floor refused 2: ...; ..."; empty: nothing was refused. */
export function floorSentence(floor: FloorReport | undefined, most = 2): string {
  if (floor === undefined || floor.refusals.length === 0) return "";
  const count = floor.refusals.length + floor.leftOut;
  const told = floor.refusals.slice(0, most).map(refusalSentence);
  const more = count - told.length;
  return `its floor refused ${count}: ${told.join("; ")}${more === 0 ? "" : `; and ${more} more`}`;
}
