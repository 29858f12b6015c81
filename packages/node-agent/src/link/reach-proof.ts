// In: the node's identity and its guard ports. Out: a proof that coordinator and node reach each other anew: a fresh
// connection there, and the coordinator's word of fresh ones back to the guard ports. A stream that is open already
// proves nothing.
import { randomBytes } from "node:crypto";
import * as grpc from "@grpc/grpc-js";
import { WeftError } from "@weft/shared/errors/weft-error";
import type {
  AgentServiceClient,
  ProbeBackResponse,
  ProbedPort,
  ProbeResponse,
} from "@weft/shared/gen/weft/v1/agent";
import type { PortRange } from "@weft/shared/model/desired";
import { unaryCall } from "../enrol/unary-call.ts";
import type { ReachProof } from "../policy/dead-man.ts";

export interface ReachParts {
  /** Shares no connection with another client. */
  readonly freshClient: () => AgentServiceClient;
  readonly isLinked: () => boolean;
}

export class CoordinatorReach implements ReachProof {
  readonly #parts: ReachParts;

  constructor(parts: ReachParts) {
    this.#parts = parts;
  }

  get ready(): boolean {
    return this.#parts.isLinked();
  }

  async prove(guardPorts: readonly PortRange[], signal: AbortSignal): Promise<void> {
    const client = this.#parts.freshClient();
    try {
      await Promise.all([reachThere(client, signal), reachBack(client, guardPorts, signal)]);
    } finally {
      client.close();
    }
  }
}

async function reachThere(client: AgentServiceClient, signal: AbortSignal): Promise<void> {
  const nonce = randomBytes(16);
  const answer = await unaryCall<ProbeResponse>(
    (options, done) => client.probe({ nonce }, new grpc.Metadata(), options, done),
    signal,
  );
  if (!nonce.equals(answer.nonce))
    throw new WeftError("WEFT-E500", "the coordinator's answer is not to this question");
}

async function reachBack(
  client: AgentServiceClient,
  guardPorts: readonly PortRange[],
  signal: AbortSignal,
): Promise<void> {
  const ports = guardPorts.filter(({ protocol }) => protocol === "tcp").map((port) => ({ ...port }));
  if (ports.length === 0) return;
  const { ports: probed } = await unaryCall<ProbeBackResponse>(
    (options, done) => client.probeBack({ ports }, new grpc.Metadata(), options, done),
    signal,
  );
  const lost = probed.filter((port) => !port.open && port.before !== "closed");
  if (lost.length > 0) throw new WeftError("WEFT-E403", lost.map(lossOf).join("; "));
}

function lossOf({ port, before }: ProbedPort): string {
  return before === "open"
    ? `the coordinator reaches guard port ${port} no more`
    : `the coordinator does not reach guard port ${port}, and does not know whether it did before`;
}
