// What a change of the mesh file can take away that keeps machines reachable, by stable codes. An operator who means it
// names the code (`weft apply --accept-risk CODE`); docs/guards.md says what each means. No behaviour.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { Mesh, Place } from "@weft/shared/model/mesh";

export interface RiskKind {
  readonly title: string;
  /** What to do instead of accepting it. */
  readonly todo: string;
}

export const riskKinds = {
  "GUARD-ADMIN": {
    title: "an administrator's address loses its way in",
    todo: "leave the range under `guard: admin:` (or name the address by itself, if a node has it)",
  },
  "GUARD-PORT": {
    title: "a guard port is taken away, or becomes a service's",
    todo: "leave the port under `guard: ports:`, or give the service another port",
  },
  "GUARD-HUB": {
    title: "nodes lose their way to the coordinator",
    todo: "leave the hub under its name and address, and its ports to the coordinator",
  },
  "GUARD-NODE": {
    title: "an enrolled node is cut from the coordinator",
    todo: "leave the node under its name and address; to move it, run `weft-node-agent leave` on it first",
  },
  "GUARD-UPSTREAM": {
    title: "a DNS server that nodes ask is no longer kept open",
    todo: "leave the server under `dns: upstreams:`, and name who may ask it in a policy",
  },
  "GUARD-OPERATOR": {
    title: "you would cut your own way in",
    todo: "put your address under `guard: admin:`",
  },
  "FLIP-GUARD": {
    title: "a guard flow that kernels remember would be refused",
    todo: "put its source under `guard: admin:`, or name it in a policy that opens the port",
  },
} as const satisfies Record<string, RiskKind>;

export type RiskCode = keyof typeof riskKinds;
export const riskCodes: readonly RiskCode[] = Object.keys(riskKinds) as RiskCode[];

export interface Risk {
  readonly code: RiskCode;
  /** On which node, or of which. */
  readonly node: string;
  /** A sentence without its full stop. */
  readonly text: string;
  /** Where in the new mesh file; undefined: it is what is missing there. */
  readonly place: Pick<Place, "file" | "line"> | undefined;
}

/** A mesh file, and what every node is to be by it. */
export interface MeshState {
  readonly mesh: Mesh;
  readonly contents: ReadonlyMap<string, DesiredContent>;
}

/** Where the operator says to sit, and on which port of the hub. */
export interface OperatorSession {
  readonly address: string;
  readonly port: number;
}

export interface MeshChange {
  /** undefined: nothing was applied yet. */
  readonly before: MeshState | undefined;
  readonly after: MeshState;
  /** Nodes that hold something: joining and enrolled ones. */
  readonly members: ReadonlySet<string>;
  /** As the program at the control socket claims it; undefined: at the machine itself, or unknown. */
  readonly operator: OperatorSession | undefined;
}

/** One way to look at a change. Every one is asked before each apply, and before each plan. */
export type RiskSource = (change: MeshChange) => readonly Risk[];
