// In: a mesh file to be applied. Out: the refusal, or the acceptance and, for one who waits, word of every wave and of
// every kernel until it is over, and then of the probes that were asked for.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { ApplyEvent, ApplyRequest } from "@weft/shared/gen/weft/v1/control";
import { longestConfirmTimeoutSeconds } from "@weft/shared/model/desired";
import { digestOf } from "@weft/shared/plan/canonical";
import { toNumber } from "@weft/shared/wire/number";
import { encodeProblem } from "@weft/shared/wire/problem-codec";
import { encodeCut } from "@weft/shared/wire/report-codec";
import type { Coordinator } from "../coordinator.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { groupRisks, parseRiskCode } from "../guard/acceptance.ts";
import { type ApplyResult, watchApply } from "../rollout/apply-watch.ts";
import { type CutWatch, watchCuts } from "../rollout/cut-watch.ts";
import type { ApplyOrder, MeshAuthority } from "../rollout/mesh-authority.ts";
import type { RolloutEvent } from "../rollout/rollout-desk.ts";
import type { Store } from "../store/store.ts";
import type { Explaining } from "./explaining.ts";
import { decodeOperator } from "./operator-session.ts";

export interface ApplyDeskParts {
  readonly coordinator: Coordinator;
  readonly explaining: Explaining;
  readonly authority: MeshAuthority;
  readonly fleet: Fleet;
  readonly store: Store;
  readonly now: () => Date;
}

type ApplyStep = NonNullable<ApplyEvent["event"]>;

const defaultWaitSeconds = 60;
const longestWaitSeconds = 3600;

function orderOf(request: ApplyRequest): ApplyOrder {
  return {
    sources: request.sources,
    reason: request.reason,
    claimedBy: request.claimedBy,
    baseRevision: toNumber(request.baseRevision, "base revision"),
    confirmTimeoutSeconds: Math.min(request.confirmTimeoutSeconds, longestConfirmTimeoutSeconds),
    keepEstablished: request.keepEstablished,
    acceptRisks: request.acceptRisks.map(parseRiskCode),
    operator: decodeOperator(request.operator),
    atOnce: request.atOnce,
    restores: toNumber(request.restores, "restored revision"),
  };
}

function encodeDone(result: ApplyResult): ApplyStep {
  const { complete, outcome, times } = result;
  const lists = { missing: [...result.missing], frozen: [...result.frozen], absent: [...result.absent] };
  const encodedTimes = times === undefined ? undefined : { ...times, slow: [...times.slow] };
  return { $case: "done", value: { complete, outcome, ...lists, times: encodedTimes } };
}

export class ApplyDesk {
  readonly #parts: ApplyDeskParts;

  constructor(parts: ApplyDeskParts) {
    this.#parts = parts;
  }

  async apply(
    request: ApplyRequest,
    send: (event: ApplyEvent) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { coordinator, explaining } = this.#parts;
    // One after the other, in the order in which they happened.
    let sent = Promise.resolve();
    const say = (event: ApplyStep) => {
      sent = sent.then(() => send({ event }));
    };
    const order = orderOf(request);
    const objection = this.#objection(order);
    const base = request.probe ? explaining.probes.base() : undefined;
    const replay = explaining.replayer.remembered(order.sources);
    const outcome =
      objection === undefined
        ? coordinator.apply(order)
        : ({ kind: "refused", problems: [], risks: [], message: objection } as const);
    if (outcome.kind === "refused") {
      const problems = outcome.problems.map(encodeProblem);
      say({
        $case: "refused",
        value: { problems, message: outcome.message, risks: groupRisks(outcome.risks) },
      });
      return sent;
    }
    const running = this.#parts.authority.inForce.running;
    const behind = request.wait ? coordinator.behind() : [];
    const { revision, unchanged, weighed } = outcome;
    const nodes = request.wait ? [...new Set([...(running?.course.waves.flat() ?? []), ...behind])] : [];
    const accepted = { revision: BigInt(revision), nodes, unchanged, replay };
    const weighing = { risks: groupRisks(weighed.accepted), unneededRisks: [...weighed.unneeded] };
    say({ $case: "accepted", value: { ...accepted, ...weighing } });
    // Without `wait` nothing is known of the kernels, and nothing is claimed.
    if (!request.wait) return sent;
    const { complete } = await this.#watch(request, behind, say, signal);
    if (base !== undefined && complete) await explaining.probes.probe(base, revision, say, signal);
    return sent;
  }

  /** Watched from this moment on: nothing that happens while the acceptance is sent is missed. */
  async #watch(
    request: ApplyRequest,
    behind: readonly string[],
    say: (event: ApplyStep) => void,
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    const { coordinator, authority, fleet, now } = this.#parts;
    const { running, pending } = { running: authority.inForce.running, pending: authority.inForce.pending() };
    const cuts: CutWatch[] = [];
    const watchFor = (nodes: readonly string[]) =>
      cuts.push(
        watchCuts(fleet, nodes, (node, cut) => say({ $case: "cut", value: { node, cut: encodeCut(cut) } })),
      );
    const tell = (event: RolloutEvent) => {
      if (event.kind === "wave") {
        watchFor(event.nodes);
        const absent = event.nodes.filter((node) => !fleet.view(node).connected);
        say({ $case: "wave", value: { ...event, nodes: [...event.nodes], absent } });
      } else if (event.kind === "stopped") {
        const nodes = (event.takenBack?.changed ?? []).map(({ node }) => node);
        watchFor(nodes);
        const takenBackAs = BigInt(event.takenBack?.revision ?? 0);
        say({ $case: "stopped", value: { why: event.why, takenBackAs, nodes } });
      }
    };
    if (running !== undefined) {
      const { begun, waves } = running.course;
      tell({ kind: "wave", number: begun, of: waves.length, nodes: waves[begun - 1] ?? [] });
    }
    watchFor(behind.filter((node) => !pending.has(node)));
    const given = [...(running?.course.given.keys() ?? [])];
    const seconds = Math.min(request.timeoutSeconds || defaultWaitSeconds, longestWaitSeconds);
    const result = await watchApply({
      fleet,
      nodes: [...new Set([...given, ...behind.filter((node) => !pending.has(node))])],
      rollout: running === undefined ? undefined : (listener) => coordinator.rollout.listen(listener),
      timeoutMs: seconds * 1000,
      signal,
      now,
      say: (word) => say({ $case: "node", value: word }),
      tell,
    });
    await Promise.all(cuts.map((cut) => cut.done(signal)));
    say(encodeDone(result));
    return result;
  }

  /** To a rollback; undefined: none. */
  #objection({ restores, sources }: ApplyOrder): string | undefined {
    if (restores === 0) return undefined;
    const { store } = this.#parts;
    const entry = store.revisions.list().find(({ revision }) => revision === restores);
    if (entry === undefined) throw new WeftError("WEFT-E103", `there is no revision ${restores}`);
    if (entry.digest !== digestOf(sources)) return `these are not the files of revision ${restores}`;
    const rollout = store.rollouts.get(restores);
    if (rollout?.state !== "stopped") return undefined;
    return `revision ${restores} was stopped (${rollout.why}); apply its file if you mean it`;
  }
}
