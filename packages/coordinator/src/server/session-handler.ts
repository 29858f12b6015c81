// In: a stream on the agents' port. Out: events about its node; the stream ends with its certificate, its membership
// or its peer, whichever is first. No decisions about the mesh are made here.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { AgentMessage, Answer, DialAnswer, Hello } from "@weft/shared/gen/weft/v1/agent";
import { NodeFacts as FactsMessage } from "@weft/shared/gen/weft/v1/facts";
import { NodeReport as ReportMessage } from "@weft/shared/gen/weft/v1/report";
import type { NodeFacts } from "@weft/shared/model/facts";
import type { NodeReport } from "@weft/shared/model/report";
import { decodeDialAnswer } from "@weft/shared/wire/dial-codec";
import { decodeFacts } from "@weft/shared/wire/facts-codec";
import { toNumber } from "@weft/shared/wire/number";
import { decodeObservation } from "@weft/shared/wire/observation-codec";
import { decodeAnswer } from "@weft/shared/wire/question-codec";
import { decodeReport } from "@weft/shared/wire/report-codec";
import type { Caller, NodeGate, Verdict } from "./authorise.ts";
import type { Explaining } from "./explaining.ts";
import type { Handlers } from "./handlers.ts";
import { type AgentStream, dismissals, Session, type Sessions } from "./sessions.ts";

/** What a node says it holds. */
export interface Greeting {
  readonly agentVersion: string;
  readonly generation: number;
  readonly digest: string;
  readonly bundleSequence: number;
}

export interface SessionEvents {
  greeted(session: Session, greeting: Greeting): void;
  seen(node: string): void;
  reported(node: string, report: NodeReport, encoded: Uint8Array): void;
  facts(node: string, facts: NodeFacts, encoded: Uint8Array): void;
  ended(node: string): void;
}

export interface SessionParts {
  readonly gate: NodeGate;
  readonly sessions: Sessions;
  readonly handlers: Handlers;
  readonly events: SessionEvents;
  readonly explaining: Pick<Explaining, "desk" | "dials" | "observed">;
  readonly now: () => Date;
  readonly heartbeatSeconds: number;
  readonly banEpoch: () => number;
}

const greetingDeadlineMs = 10_000;
/** setTimeout takes no more; a certificate that lives longer is looked at again then. */
const longestTimerMs = 2 ** 31 - 1;
function greetingOf(hello: Hello): Greeting {
  return {
    agentVersion: hello.agentVersion.slice(0, 100),
    generation: toNumber(hello.generation, "generation"),
    digest: hello.digest,
    bundleSequence: toNumber(hello.bundleSequence, "bundle sequence"),
  };
}

export class SessionHandler {
  readonly #parts: SessionParts;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  handle(stream: AgentStream): void {
    const { gate, handlers } = this.#parts;
    const verdict = gate.judge(stream);
    if (verdict.caller !== undefined) {
      this.#serve(stream, verdict.caller);
      return;
    }
    handlers.report("Session", verdict.refusal);
    this.#turnAway(stream, verdict);
  }

  /** One that was a member is told why it is none any more: its agent then stops asking. */
  #turnAway(stream: AgentStream, { refusal, formerly }: Verdict): void {
    const session = new Session(formerly?.name ?? "", stream);
    stream.on("error", () => session.gone());
    stream.resume();
    const reason = formerly === undefined ? undefined : dismissals[formerly.state];
    if (reason === undefined) session.end(refusal);
    else session.dismiss(reason, this.#parts.banEpoch(), refusal);
  }

  #serve(stream: AgentStream, caller: Caller): void {
    const { handlers, now } = this.#parts;
    const session = new Session(caller.node.name, stream);
    let greeted = false;
    let over = false;
    const fail = (failure: unknown) => {
      handlers.report("Session", failure);
      session.end(failure);
    };
    const greeting = setTimeout(
      () => fail(new WeftError("WEFT-E005", "the agent did not say hello in time")),
      greetingDeadlineMs,
    );
    let expiry: NodeJS.Timeout;
    const watchExpiry = () => {
      const left = caller.notAfter.getTime() - now().getTime();
      if (left <= 0)
        session.end(new WeftError("WEFT-E202", "the certificate this stream began with has expired"));
      else expiry = setTimeout(watchExpiry, Math.min(left, longestTimerMs));
    };
    watchExpiry();
    const finish = () => {
      if (over) return;
      over = true;
      clearTimeout(greeting);
      clearTimeout(expiry);
      if (!greeted) session.gone();
      else if (this.#parts.sessions.close(session)) this.#parts.events.ended(session.node);
    };
    // A peer that vanishes brings `cancelled` and `close`, and no `error`.
    stream.on("end", () => {
      finish();
      stream.end();
    });
    stream.on("cancelled", finish);
    stream.on("close", finish);
    stream.on("error", finish);
    stream.on("data", (message: AgentMessage) => {
      if (over) return;
      try {
        if (!greeted) {
          clearTimeout(greeting);
          greeted = true;
          this.#greet(session, message);
        } else this.#take(session.node, message);
      } catch (failure) {
        fail(failure);
      }
    });
  }

  #greet(session: Session, { message }: AgentMessage): void {
    if (message?.$case !== "hello") throw new WeftError("WEFT-E003", "the first message must be hello");
    const { sessions, events, now, heartbeatSeconds, banEpoch } = this.#parts;
    const greeting = greetingOf(message.value);
    sessions.open(session, banEpoch());
    session.send("welcome", { $case: "welcome", value: { serverTime: now(), heartbeatSeconds } });
    events.greeted(session, greeting);
  }

  #take(node: string, { message }: AgentMessage): void {
    const { events } = this.#parts;
    switch (message?.$case) {
      case "report":
        events.reported(node, decodeReport(message.value), ReportMessage.encode(message.value).finish());
        break;
      case "facts":
        events.facts(node, decodeFacts(message.value), FactsMessage.encode(message.value).finish());
        break;
      case "hello":
        throw new WeftError("WEFT-E003", "hello comes once");
      case "observation":
        this.#parts.explaining.observed(node, decodeObservation(message.value));
        events.seen(node);
        break;
      case "answer":
        this.#answered(node, message.value);
        break;
      case "dialAnswer":
        this.#dialled(node, message.value);
        break;
      // What only a newer agent can say is no error.
      case "heartbeat":
      case undefined:
        events.seen(node);
    }
  }
  /** An answer that makes no sense is a problem of whoever asked, not of the stream. */
  #answered(node: string, answer: Answer): void {
    const { desk } = this.#parts.explaining;
    try {
      desk.answered(node, decodeAnswer(answer));
    } catch (failure) {
      desk.unreadable(node, Number(answer.id), failure);
    }
  }

  #dialled(node: string, answer: DialAnswer): void {
    const { dials } = this.#parts.explaining;
    try {
      dials.answered(node, decodeDialAnswer(answer));
    } catch (failure) {
      dials.unreadable(node, Number(answer.id), failure);
    }
  }
}
