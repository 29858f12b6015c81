// In: the rules that decided. Out: which policy and line of the mesh file they come from, by the comments of the
// elements that spoke, and what the verdict rests on. Pure. Names of chains and sets play no part.
import { baselineName, type Strength } from "../model/desired.ts";
import type { BaseVerdict, HookVerdict } from "./judge.ts";

export interface Attribution {
  readonly kind:
    | "policy"
    /** No policy speaks of it, and the default refuses or lets it pass. */
    | "default"
    /** Guards: "guard", "coordinator", "upstream", "enrolment"; and bans: "banned". */
    | "guard"
    /** What the node does with what no service declares. */
    | "baseline"
    /** No rule of ours is concerned. */
    | "unjudged"
    | "other-table"
    /** No table of ours is loaded. */
    | "nothing-loaded";
  /** Of the policy or guard, or the other table. */
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly strength: Strength;
}

const origin = /^([a-z0-9-]+) (.+):(\d+)$/;
const guards: ReadonlySet<string> = new Set(["guard", "coordinator", "upstream", "enrolment", "banned"]);

export function attributionOf({ verdict, own, others }: HookVerdict): Attribution {
  const nothing = { name: "", file: "", line: 0, strength: "address" } as const;
  const isOwnRefusal = own?.verdict === "drop" || own?.verdict === "reject";
  const [other] = others;
  if (!isOwnRefusal && other !== undefined && (verdict === "drop" || verdict === "reject"))
    return { kind: "other-table", ...nothing, name: other.table };
  if (own === undefined) return { kind: "nothing-loaded", ...nothing };
  return ownAttribution(own);
}

function ownAttribution({ path }: BaseVerdict): Attribution {
  const hits = path.flatMap((step) => step.hits).reverse();
  const strength: Strength = hits.some(({ byUid }) => byUid) ? "address+uid" : "address";
  for (const { comment } of hits) {
    const [, policy, file, line] = origin.exec(comment) ?? [];
    if (policy !== undefined && file !== undefined) {
      const kind = policy === "default" || policy === baselineName ? policy : "policy";
      return { kind, name: kind === "policy" ? policy : "", file, line: Number(line), strength };
    }
    if (guards.has(comment)) return { kind: "guard", name: comment, file: "", line: 0, strength };
  }
  const nothing = { name: "", file: "", line: 0, strength };
  return path.length === 0 ? { kind: "unjudged", ...nothing } : { kind: "default", ...nothing };
}
