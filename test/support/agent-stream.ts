// In: a client of the agents' port. Out: a session as an agent holds it: what came is kept, what is said is checked by
// the coordinator.
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import type {
  AgentMessage,
  AgentServiceClient,
  CoordinatorMessage,
  Hello,
} from "../../packages/shared/src/gen/weft/v1/agent.ts";
import type { DesiredState } from "../../packages/shared/src/gen/weft/v1/desired.ts";
import type { NodeReport } from "../../packages/shared/src/model/report.ts";
import { encodeReport } from "../../packages/shared/src/wire/report-codec.ts";
import { eventually } from "./eventually.ts";
import { reportOf } from "./report.ts";

type Came = NonNullable<CoordinatorMessage["message"]>;
type Values = { readonly [M in Came as M["$case"]]: M["value"] };

export class AgentStream {
  readonly came: Came[] = [];
  failure: ServiceError | undefined;
  ended = false;
  readonly call: ClientDuplexStream<AgentMessage, CoordinatorMessage>;

  constructor(client: AgentServiceClient) {
    this.call = client.session();
    this.call.on("data", (message: CoordinatorMessage) => {
      if (message.message !== undefined) this.came.push(message.message);
    });
    this.call.on("error", (failure: ServiceError) => {
      this.failure = failure;
      this.ended = true;
    });
    this.call.on("end", () => {
      this.ended = true;
    });
  }

  hello(change: Partial<Hello> = {}): this {
    this.say({
      $case: "hello",
      value: {
        agentVersion: "0.1.0",
        bootId: "boot",
        generation: 0n,
        digest: "",
        bundleSequence: 0n,
        banEpoch: 0n,
        enrolmentGeneration: 1n,
        ...change,
      },
    });
    return this;
  }

  say(message: NonNullable<AgentMessage["message"]>): void {
    this.call.write({ message });
  }

  report(change: Partial<NodeReport>): void {
    this.say({ $case: "report", value: encodeReport(reportOf(change)) });
  }

  /** As an agent whose kernel took the state. */
  enforce(state: DesiredState): void {
    this.report({
      generation: Number(state.generation),
      digest: state.digest,
      phase: "enforced",
      enforcedDigest: state.digest,
      enforcedRevision: Number(state.revision),
      enforcedAt: new Date(),
      witness: `kernel of ${state.node}`,
    });
  }

  of<K extends Came["$case"]>(kind: K): Values[K][] {
    return this.came.flatMap((message) => (message.$case === kind ? [message.value as Values[K]] : []));
  }

  async first<K extends Came["$case"]>(kind: K): Promise<Values[K]> {
    const [first] = await eventually(`a ${kind} message`, () => {
      const found = this.of(kind);
      return found.length > 0 && found;
    });
    return first!;
  }

  async end(): Promise<ServiceError | undefined> {
    await eventually("the end of the stream", () => this.ended);
    return this.failure;
  }
}
