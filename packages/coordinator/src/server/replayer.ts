// In: a mesh file that may be applied. Out: which remembered flows it would turn, and what the memory cannot tell. Asks
// the nodes for a fresh word first; for an apply it takes what is there, because an apply does not wait.
import type { Flip as FlipMessage, Replay } from "@weft/shared/gen/weft/v1/replay";
import type { Fleet } from "../fleet/fleet.ts";
import { isMember, statusOf } from "../fleet/node-view.ts";
import { type Observations, retentionMs } from "../fleet/observations.ts";
import { hiddenCallers } from "../replay/hidden-callers.ts";
import { type Flip, replay } from "../replay/replay.ts";
import { changedNodes, type Memory, unknownSpans } from "../replay/unknown-spans.ts";
import type { MeshAuthority } from "../rollout/mesh-authority.ts";
import type { MeshCompiler } from "../rollout/mesh-compiler.ts";
import type { SourceText } from "../store/records.ts";

export interface ReplayerParts {
  readonly authority: MeshAuthority;
  readonly compiler: MeshCompiler;
  readonly fleet: Fleet;
  readonly observations: Observations;
  /** Has nodes look, and waits a moment for their word. */
  readonly refresh: (nodes: readonly string[]) => Promise<void>;
  readonly now: () => Date;
}

export class Replayer {
  readonly #parts: ReplayerParts;

  constructor(parts: ReplayerParts) {
    this.#parts = parts;
  }

  /** With a fresh word of every node that has one. */
  async plan(sources: readonly SourceText[]): Promise<Replay> {
    const { authority, refresh, now } = this.#parts;
    const asked = now();
    await refresh((authority.mesh?.nodes ?? []).map(({ name }) => name));
    return this.#replay(sources, asked);
  }

  /** Before it is applied: afterwards "before" is gone. */
  remembered(sources: readonly SourceText[]): Replay {
    return this.#replay(sources, undefined);
  }

  #replay(sources: readonly SourceText[], asked: Date | undefined): Replay {
    const { authority, compiler, observations, now } = this.#parts;
    const { mesh } = compiler.load(sources);
    // what is not valid turns nothing, and before the first mesh nothing was judged
    if (mesh === undefined || authority.mesh === undefined)
      return { flips: [], unknown: [], since: undefined, youngest: "" };
    const before = authority.inForce.contents();
    const after = compiler.compile(mesh);
    const observed = observations.all(now()).filter(({ node }) => before.has(node));
    const memories = [...before.keys()].map((node) => this.#memory(node, asked));
    const fullSince = new Date(now().getTime() - retentionMs);
    return {
      flips: replay(observed, before, after).map(encodeFlip),
      unknown: [
        ...unknownSpans(memories, before, after, fullSince),
        ...hiddenCallers(observed, before, after),
      ],
      ...spanOf(memories, changedNodes(before, after), fullSince),
    };
  }

  #memory(node: string, asked: Date | undefined): Memory {
    const { fleet, observations, now } = this.#parts;
    const view = fleet.view(node);
    const held = observations.of(node);
    const isFresh = view.connected && held !== undefined && (asked === undefined || held.heard >= asked);
    const state = isFresh ? "fresh" : held !== undefined ? "stale" : isMember(view) ? "silent" : "not joined";
    return {
      node,
      state,
      fullSets: held?.fullSets ?? [],
      leftOut: held?.leftOut ?? 0,
      spent: held?.spent ?? [],
      since: held?.memorySince,
      endpoints: held?.endpoints,
      isCurrent: statusOf(view, now()).verdict === "ENFORCED",
    };
  }
}

/** From when on what is said is true of all nodes that remember anything. */
function spanOf(memories: readonly Memory[], changed: readonly string[], fullSince: Date) {
  const remembering = memories.flatMap(({ node, since }) =>
    since !== undefined && changed.includes(node) ? [{ node, since }] : [],
  );
  const [youngest] = remembering.sort((a, b) => b.since.getTime() - a.since.getTime());
  if (youngest === undefined) return { since: undefined, youngest: "" };
  const isFull = youngest.since <= fullSince;
  return { since: youngest.since, youngest: isFull ? "" : youngest.node };
}

function encodeFlip({ isClaim, isGuard, by, origin, witnesses, ...flip }: Flip): FlipMessage {
  return {
    ...flip,
    witnesses: [...witnesses],
    claim: isClaim,
    guard: isGuard,
    decidedBy: by === "policy" ? (origin?.policy ?? "") : by === "unjudged" ? "" : by,
    file: origin?.file ?? "",
    line: origin?.line ?? 0,
  };
}
