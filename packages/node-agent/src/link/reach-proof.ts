// In: the node's identity and its guard ports. Out: which of them the coordinator reaches, by its own word; and a proof
// that coordinator and node reach each other anew: a fresh connection there, and fresh ones back to the ports that were
// reached before. A stream that is open already proves nothing.
import { randomBytes } from "node:crypto";
import * as grpc from "@grpc/grpc-js";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { AgentServiceClient, ProbeBackResponse, ProbeResponse } from "@weft/shared/gen/weft/v1/agent";
import type { PortRange } from "@weft/shared/model/desired";
import { unaryCall } from "../enrol/unary-call.ts";
import type { ReachProof } from "../policy/reach-before.ts";

export interface ReachParts {
  /** Shares no connection with another client. */
  readonly freshClient: () => AgentServiceClient;
  /** Of the stream that is open; undefined while the coordinator is away. */
  readonly linkedClient: () => AgentServiceClient | undefined;
}

const triesBefore = 3;

export class CoordinatorReach implements ReachProof {
  readonly #parts: ReachParts;

  constructor(parts: ReachParts) {
    this.#parts = parts;
  }

  get ready(): boolean {
    return this.#parts.linkedClient() !== undefined;
  }

  async reached(guardPorts: readonly PortRange[], signal: AbortSignal): Promise<number[]> {
    // Only the coordinator's connections to the ports have to be fresh ones.
    const client = this.#parts.linkedClient();
    if (client === undefined) throw new WeftError("WEFT-E500", "the coordinator cannot be reached");
    const open = new Set<number>();
    const isLeft = ({ from, to }: PortRange) => from !== to || !open.has(from);
    // One connection that was lost on the way must not make the port count for closed.
    for (let tries = 0; tries < triesBefore; tries++) {
      const left = guardPorts.filter((port) => port.protocol === "tcp" && isLeft(port));
      for (const port of await openPorts(client, left, signal)) open.add(port);
    }
    return [...open].sort((a, b) => a - b);
  }

  async prove(ports: readonly number[], signal: AbortSignal): Promise<void> {
    const client = this.#parts.freshClient();
    try {
      const there = reachThere(client, signal);
      const wanted = ports.map((port): PortRange => ({ protocol: "tcp", from: port, to: port }));
      const [open] = await Promise.all([openPorts(client, wanted, signal), there]);
      const lost = ports.filter((port) => !open.includes(port));
      if (lost.length === 0) return;
      const sentences = lost.map((port) => `the coordinator reaches guard port ${port} no more`);
      throw new WeftError("WEFT-E403", sentences.join("; "));
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

/** Those of the ports to which the coordinator has just opened a connection. */
async function openPorts(
  client: AgentServiceClient,
  wanted: readonly PortRange[],
  signal: AbortSignal,
): Promise<number[]> {
  if (wanted.length === 0) return [];
  const ports = wanted.map((port) => ({ ...port }));
  const answer = await unaryCall<ProbeBackResponse>(
    (options, done) => client.probeBack({ ports }, new grpc.Metadata(), options, done),
    signal,
  );
  return answer.ports.filter(({ open }) => open).map(({ port }) => port);
}
