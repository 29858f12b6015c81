// In: the nodes a change touches, what each of them says, the time. Out: who gets the change when, and when it is over:
// the next wave, the end, or the stop. Pure: nothing is given here, and nothing taken back.
//
// INVARIANTS
// - Every node is in exactly one wave, and a wave begins only when the one before is settled.
// - A wave settles or is stopped by its deadline: a rollout always ends.
import type { ConditionCode } from "@weft/shared/model/condition";
import type { RolloutWish, StopCause } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";

export interface Course {
  readonly waves: readonly (readonly string[])[];
  /** How many waves have begun. */
  readonly begun: number;
  /** Who was given the change, and how it was with them then. */
  readonly given: ReadonlyMap<string, GivenTo>;
  readonly stopOn: readonly StopCause[];
  readonly deadlineSeconds: number;
}

export interface GivenTo {
  /** It was connected. One that was not is not waited for. */
  readonly wasThere: boolean;
  readonly errors: readonly ConditionCode[];
}

export interface Concerned {
  readonly name: string;
  readonly isThere: boolean;
  /** It carries the coordinator. */
  readonly isHub: boolean;
}

/** What a node that was given the change says of it. "lost": nothing, for too long. "gone": it is no member. */
export interface CourseWord {
  readonly standing: "enforced" | "reverted" | "failed" | "working" | "lost" | "gone";
  readonly detail: string;
  readonly isThere: boolean;
  /** Its standing conditions of severity error. */
  readonly errors: readonly ConditionCode[];
}

export type Decision =
  | {
      readonly kind: "wait";
      readonly nodes: readonly string[];
      readonly absent: readonly string[];
    }
  | { readonly kind: "advance" }
  | { readonly kind: "finish" }
  | { readonly kind: "stop"; readonly why: string };

/** The coordinator's own machine after all others; those that are not there last of all. */
function inOrder(nodes: readonly Concerned[]): string[] {
  const rank = ({ isThere, isHub }: Concerned) => (isThere ? (isHub ? 1 : 0) : 2);
  return [...nodes].sort((a, b) => rank(a) - rank(b) || byText(a.name, b.name)).map(({ name }) => name);
}

export function planWaves(
  { canary, wave }: Pick<RolloutWish, "canary" | "wave">,
  nodes: readonly Concerned[],
): string[][] {
  const order = inOrder(nodes);
  const there = new Set(nodes.filter(({ isThere }) => isThere).map(({ name }) => name));
  const named =
    typeof canary === "number"
      ? order.slice(0, canary)
      : canary.filter((name) => there.has(name)).sort(byText);
  // Named ones that the change does not touch, or that are not there, prove nothing: another takes their place.
  const first = named.length > 0 ? named : order.slice(0, 1);
  const rest = order.filter((name) => !first.includes(name));
  const size = wave.unit === "nodes" ? wave.size : Math.max(1, Math.ceil((wave.size * nodes.length) / 100));
  const waves = first.length === 0 ? [] : [first];
  for (let start = 0; start < rest.length; start += size) waves.push(rest.slice(start, start + size));
  return waves;
}

/** The next wave begins: its nodes are to be given the change now. */
export function beginWave(course: Course, word: (node: string) => CourseWord): Course {
  const given = new Map(course.given);
  for (const node of course.waves[course.begun] ?? []) {
    const { isThere, errors } = word(node);
    given.set(node, { wasThere: isThere, errors });
  }
  return { ...course, begun: course.begun + 1, given };
}

/** @param ageMs of the wave under way */
export function decide(course: Course, word: (node: string) => CourseWord, ageMs: number): Decision {
  for (const [node, then] of course.given) {
    const why = stopReason(course, node, then, word(node));
    if (why !== undefined) return { kind: "stop", why };
  }
  const wave = course.waves[course.begun - 1] ?? [];
  const isLate = ageMs > course.deadlineSeconds * 1000;
  const waiting: string[] = [];
  const absent: string[] = [];
  for (const node of wave) {
    const { standing, isThere } = word(node);
    if (standing === "enforced") continue;
    const wasThere = course.given.get(node)?.wasThere === true;
    // One that came back meanwhile is waited for, but it does not make the others late.
    if (standing === "gone" || (!wasThere && (!isThere || isLate))) absent.push(node);
    else if (standing === "working") waiting.push(node);
  }
  if (waiting.length > 0) {
    if (!isLate) return { kind: "wait", nodes: waiting, absent };
    const names = waiting.sort(byText).join(", ");
    return {
      kind: "stop",
      why: `not in force after ${course.deadlineSeconds} s on ${names}`,
    };
  }
  return course.begun < course.waves.length ? { kind: "advance" } : { kind: "finish" };
}

function stopReason(
  { stopOn }: Course,
  node: string,
  then: GivenTo,
  { standing, detail, errors }: CourseWord,
): string | undefined {
  const because = detail === "" ? "" : `: ${detail}`;
  if (standing === "reverted" && stopOn.includes("reverted")) return `${node} REVERTED${because}`;
  if (standing === "failed" && stopOn.includes("failed")) return `${node} failed${because}`;
  if (standing === "lost" && then.wasThere && stopOn.includes("failed"))
    return `${node} fell silent after it was given the change`;
  const fresh = errors.find((code) => !then.errors.includes(code));
  if (fresh !== undefined && stopOn.includes("condition"))
    return `${node} has an error it had not before: ${fresh}`;
  return undefined;
}
