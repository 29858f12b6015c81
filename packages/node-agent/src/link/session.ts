// In: a client of the coordinator and who we are. Out: one open stream: what the coordinator says as events, what the
// node says as methods, and its end as a promise. No decisions: reconnecting, renewing and applying are others' work.
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { WeftError } from "@weft/shared/errors/weft-error";
import type {
  AgentMessage,
  AgentServiceClient,
  CoordinatorMessage,
  Hello,
} from "@weft/shared/gen/weft/v1/agent";
import type { SignedTrustBundle } from "@weft/shared/gen/weft/v1/trust";
import type { DesiredState } from "@weft/shared/model/desired";
import type { DialAnswer, DialQuestion } from "@weft/shared/model/dial";
import type { NodeFacts } from "@weft/shared/model/facts";
import type { KernelAnswer, KernelQuestion, NoAnswer, Observation } from "@weft/shared/model/observation";
import type { NodeReport } from "@weft/shared/model/report";
import { decodeDesired } from "@weft/shared/wire/desired-codec";
import { decodeDialQuestion, encodeDialAnswer } from "@weft/shared/wire/dial-codec";
import { encodeFacts } from "@weft/shared/wire/facts-codec";
import { toNumber } from "@weft/shared/wire/number";
import { encodeObservation } from "@weft/shared/wire/observation-codec";
import { decodeQuestion, encodeAnswer } from "@weft/shared/wire/question-codec";
import { encodeReport } from "@weft/shared/wire/report-codec";
import { errorOfCall } from "../enrol/unary-call.ts";

export interface SessionEvents {
  desired(state: DesiredState): void;
  bundle(signed: SignedTrustBundle): void;
  dismissal(reason: string, banEpoch: number): void;
  question(question: KernelQuestion): void;
  dial(question: DialQuestion): void;
  attention(): void;
  /** Something that came could not be understood; the stream goes on. */
  unreadable(failure: unknown): void;
}

const welcomeWithinMs = 10_000;
const heartbeatBounds = { least: 1, most: 60 } as const;

export class Session {
  /** Resolves when the stream is over, to the reason. Never rejects. */
  readonly ended: Promise<WeftError>;
  readonly client: AgentServiceClient;
  readonly #stream: ClientDuplexStream<AgentMessage, CoordinatorMessage>;
  #heartbeat: NodeJS.Timeout | undefined;
  #over = false;

  private constructor(
    client: AgentServiceClient,
    stream: ClientDuplexStream<AgentMessage, CoordinatorMessage>,
    ended: Promise<WeftError>,
  ) {
    this.client = client;
    this.#stream = stream;
    this.ended = ended;
    ended.then(
      () => this.#finish(),
      () => {},
    );
  }

  /** Resolves once the coordinator has welcomed us. The client is closed with the session. */
  static async open(client: AgentServiceClient, hello: Hello, events: SessionEvents): Promise<Session> {
    const stream = client.session();
    const ended = new Promise<WeftError>((resolve) => {
      stream.on("error", (failure: ServiceError) => resolve(errorOfCall(failure)));
      const closed = () => resolve(new WeftError("WEFT-E500", "the coordinator closed the stream"));
      stream.on("end", closed);
      stream.on("close", closed);
    });
    const session = new Session(client, stream, ended);
    const welcomed = new Promise<void>((resolve) => {
      stream.on("data", ({ message }: CoordinatorMessage) => {
        try {
          if (message?.$case === "welcome") {
            session.#beat(message.value.heartbeatSeconds);
            resolve();
          } else receive(message, events);
        } catch (failure) {
          events.unreadable(failure);
        }
      });
    });
    stream.write({ message: { $case: "hello", value: hello } });
    const late = setTimeout(() => stream.cancel(), welcomeWithinMs);
    const failure = await Promise.race([welcomed, ended]);
    clearTimeout(late);
    if (failure !== undefined) throw failure;
    return session;
  }

  #beat(seconds: number): void {
    const period = Math.min(Math.max(seconds, heartbeatBounds.least), heartbeatBounds.most) * 1000;
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(
      () => this.#write({ $case: "heartbeat", value: { sent: new Date() } }),
      period,
    );
  }

  #write(message: AgentMessage["message"]): void {
    if (!this.#over) this.#stream.write({ message });
  }

  sendFacts(facts: NodeFacts): void {
    this.#write({ $case: "facts", value: encodeFacts(facts) });
  }

  sendReport(report: NodeReport): void {
    this.#write({ $case: "report", value: encodeReport(report) });
  }

  sendObservation(observation: Observation): void {
    this.#write({ $case: "observation", value: encodeObservation(observation) });
  }

  sendAnswer(answer: KernelAnswer | NoAnswer): void {
    this.#write({ $case: "answer", value: encodeAnswer(answer) });
  }

  sendDialAnswer(answer: DialAnswer | NoAnswer): void {
    this.#write({ $case: "dialAnswer", value: encodeDialAnswer(answer) });
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#heartbeat);
    this.client.close();
  }

  close(): void {
    if (!this.#over) this.#stream.end();
    this.#stream.cancel();
    this.#finish();
  }
}

function receive(message: CoordinatorMessage["message"], events: SessionEvents): void {
  switch (message?.$case) {
    case "desired":
      events.desired(decodeDesired(message.value));
      break;
    case "bundle":
      events.bundle(message.value);
      break;
    case "dismissal":
      events.dismissal(message.value.reason, toNumber(message.value.banEpoch, "ban epoch"));
      break;
    case "question":
      events.question(decodeQuestion(message.value));
      break;
    case "dial":
      events.dial(decodeDialQuestion(message.value));
      break;
    case "attention":
      events.attention();
      break;
    default:
      // A message of a newer coordinator: nothing this release could do with it.
      break;
  }
}
