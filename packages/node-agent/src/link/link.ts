// In: the node's identity, what it holds and what it has to say. Out: a stream to the coordinator, kept up: reconnected
// with jittered waits, reopened with the new SVID before the old one ends (the new stream first, then the old is
// closed), stopped for good by a dismissal. Without it everything in force stays in force.
import { describeError, isWeftError } from "@weft/shared/errors/weft-error";
import type { AgentServiceClient } from "@weft/shared/gen/weft/v1/agent";
import type { SignedTrustBundle } from "@weft/shared/gen/weft/v1/trust";
import type { DesiredState } from "@weft/shared/model/desired";
import type { DialAnswer, DialQuestion } from "@weft/shared/model/dial";
import type { NodeFacts } from "@weft/shared/model/facts";
import type { KernelAnswer, KernelQuestion, NoAnswer, Observation } from "@weft/shared/model/observation";
import type { NodeReport } from "@weft/shared/model/report";
import type { Clock } from "../host/host.ts";
import type { Log } from "../log.ts";
import { backoffMs } from "./backoff.ts";
import type { NodeIdentity } from "./node-identity.ts";
import { Session } from "./session.ts";

export interface LinkDuties {
  readonly identity: NodeIdentity;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly version: string;
  readonly bootId: string;
  /** What the node has confirmed. */
  readonly held: () => { readonly generation: number; readonly digest: string };
  readonly facts: () => Promise<NodeFacts>;
  readonly onDesired: (state: DesiredState) => void;
  readonly onBundle: () => void;
  readonly onUnreadable: (failure: unknown) => void;
  /** undefined: connected. */
  readonly onState: (trouble: string | undefined) => void;
  readonly onDismissed: (reason: string) => void;
  /** Somebody wants to know what the kernel counts. */
  readonly onAttention: () => void;
  /** Resolves for any question; what goes wrong is part of the answer. */
  readonly answer: (question: KernelQuestion) => Promise<KernelAnswer | NoAnswer>;
  /** The same. Beside the other questions, which need not wait for a connection that nobody answers. */
  readonly dial: (question: DialQuestion) => Promise<DialAnswer | NoAnswer>;
}

/** Remembered over restarts. */
const lastingReasons: readonly string[] = ["removed", "banned"];
/** A ban may end: then nobody can tell a node, so it asks, though seldom. */
const bannedRetryMs = 30_000;
const renewalRetryMs = 15_000;
const mostQuestions = 16;
/** setTimeout counts in 31 bits. */
const longestWaitMs = 2 ** 31 - 1;

export class Link {
  readonly #duties: LinkDuties;
  #session: Session | undefined;
  #report: NodeReport | undefined;
  #streams = 0;
  #answering = Promise.resolve();
  #unanswered = 0;
  /** Until the last dismissal is on disk. */
  #dismissing = Promise.resolve();

  constructor(duties: LinkDuties) {
    this.#duties = duties;
  }

  /** For unary calls; undefined while the coordinator is away. */
  get client(): AgentServiceClient | undefined {
    return this.#session?.client;
  }

  /** How many streams there were, this one included; 0: there is none now. */
  get streams(): number {
    return this.#session === undefined ? 0 : this.#streams;
  }

  sendObservation(observation: Observation): void {
    this.#session?.sendObservation(observation);
  }

  sendReport(report: NodeReport): void {
    this.#report = report;
    this.#session?.sendReport(report);
  }

  async sendFacts(): Promise<void> {
    const facts = await this.#duties.facts();
    this.#session?.sendFacts(facts);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { identity, log, clock, random } = this.#duties;
    let failures = 0;
    let said = "";
    const isGone = () => !["", "banned"].includes(identity.enrolment.dismissed);
    while (!signal.aborted && !isGone()) {
      try {
        await this.#open(signal);
        await identity.readmit();
        failures = 0;
        said = "";
        const ending = await this.#attend(signal);
        if (ending === "renewed") continue;
      } catch (failure) {
        if (signal.aborted) break;
        if (!isWeftError(failure)) throw failure;
        // Once, not at every attempt: a coordinator may be away for a day.
        const trouble = `${failure.message}: ${failure.why ?? failure.code}`;
        if (trouble !== said) log.warn(`link: ${trouble}`);
        said = trouble;
        await this.#dismissing;
        if (identity.enrolment.dismissed === "banned") this.#duties.onDismissed("banned");
        else this.#duties.onState(trouble);
      }
      failures += 1;
      if (isGone()) continue;
      const isBanned = identity.enrolment.dismissed === "banned";
      const pauseMs = isBanned ? bannedRetryMs * (0.5 + random()) : backoffMs(failures, random());
      await clock.sleep(pauseMs, signal).catch(() => {});
    }
    this.#session?.close();
    this.#session = undefined;
    if (identity.enrolment.dismissed !== "") this.#duties.onDismissed(identity.enrolment.dismissed);
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { identity, log, version, bootId } = this.#duties;
    if (!identity.usable) {
      log.info("link: the node SVID has expired, entering again by the enrolment key");
      await identity.reEnter(signal);
    }
    const { generation, digest } = this.#duties.held();
    const { bundleSequence, banEpoch, enrolmentGeneration } = identity.enrolment;
    const hello = {
      agentVersion: version,
      bootId,
      generation: BigInt(generation),
      digest,
      bundleSequence: BigInt(bundleSequence),
      banEpoch: BigInt(banEpoch),
      enrolmentGeneration: BigInt(enrolmentGeneration),
    };
    const session = await this.#greet(hello);
    this.#session?.close();
    this.#session = session;
    this.#streams += 1;
    this.#duties.onState(undefined);
    log.info("link: the coordinator is there");
    // The report first: whoever waits for an enforcement waits for this; facts take a moment when they are first read.
    if (this.#report !== undefined) session.sendReport(this.#report);
    session.sendFacts(await this.#duties.facts());
  }

  #greet(hello: Parameters<typeof Session.open>[1]): Promise<Session> {
    const { identity, log } = this.#duties;
    const client = identity.client();
    return Session.open(client, hello, {
      desired: (state) => this.#duties.onDesired(state),
      bundle: (signed) => void this.#takeBundle(signed),
      dismissal: (reason, banEpoch) => {
        this.#dismissing = this.#dismissed(reason, banEpoch);
      },
      question: (question) => this.#answer(question),
      dial: (question) => void this.#dial(question),
      attention: () => this.#duties.onAttention(),
      unreadable: (failure) => {
        log.error(`link: ${describeError(failure)}`);
        this.#duties.onUnreadable(failure);
      },
    }).catch((failure: unknown) => {
      client.close();
      throw failure;
    });
  }

  /** One at a time: each costs a look at the kernel's rules. */
  #answer(question: KernelQuestion): void {
    if (this.#unanswered >= mostQuestions) return;
    this.#unanswered += 1;
    this.#answering = this.#answering.then(() => this.#answerNow(question));
  }

  async #answerNow(question: KernelQuestion): Promise<void> {
    try {
      this.#session?.sendAnswer(await this.#duties.answer(question));
    } catch (failure) {
      this.#duties.log.error(`link: a question is not answered: ${describeError(failure)}`);
    } finally {
      this.#unanswered -= 1;
    }
  }

  async #dial(question: DialQuestion): Promise<void> {
    try {
      const answer = await this.#duties.dial(question);
      this.#session?.sendDialAnswer(answer);
    } catch (failure) {
      this.#duties.log.error(`link: a connection is not proved: ${describeError(failure)}`);
    }
  }

  async #takeBundle(signed: SignedTrustBundle): Promise<void> {
    try {
      await this.#duties.identity.takeBundle(signed);
      this.#duties.onBundle();
    } catch (failure) {
      this.#duties.log.error(`link: the trust bundle that was sent is not taken: ${describeError(failure)}`);
    }
  }

  async #dismissed(reason: string, banEpoch: number): Promise<void> {
    const { identity, log } = this.#duties;
    log.warn(`link: dismissed by the coordinator: ${reason}`);
    if (!lastingReasons.includes(reason)) return;
    try {
      await identity.dismiss(reason, banEpoch);
    } catch (failure) {
      log.error(`link: ${describeError(failure)}`);
    }
    this.#session?.close();
  }

  /** Until the stream ends or the SVID has been renewed over it. */
  async #attend(signal: AbortSignal): Promise<"ended" | "renewed"> {
    const { identity, clock, log, random } = this.#duties;
    const session = this.#session;
    // A signal that came while the stream was opening is heard by nobody below: its event is over.
    if (session === undefined || signal.aborted) return "ended";
    const over = new AbortController();
    const stop = () => over.abort();
    signal.addEventListener("abort", stop, { once: true });
    const ended = session.ended.then((reason) => {
      over.abort();
      return reason;
    });
    try {
      let due = identity.renewalDue.getTime();
      while (!over.signal.aborted) {
        const wait = Math.min(Math.max(0, due - clock.now().getTime()), longestWaitMs);
        await clock.sleep(wait, over.signal).catch(() => {});
        if (over.signal.aborted || clock.now().getTime() < due) continue;
        try {
          await identity.renew(session.client, over.signal);
          log.info("link: node SVID renewed, opening a new stream with it");
          return "renewed";
        } catch (failure) {
          if (over.signal.aborted) break;
          log.warn(`link: the node SVID is not renewed yet: ${describeError(failure)}`);
          due = clock.now().getTime() + renewalRetryMs * (0.5 + random());
        }
      }
      if (signal.aborted) return "ended";
      throw await ended;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}
