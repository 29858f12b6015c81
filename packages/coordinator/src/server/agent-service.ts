// In: calls on the agents' port. Out: their answers. Every call is authorised by itself, by the caller's certificate;
// a certificate is handed out only if its node is still a member when it was minted.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { AgentServiceServer } from "@weft/shared/gen/weft/v1/agent";
import type { SignedTrustBundle } from "@weft/shared/gen/weft/v1/trust";
import { decodePort } from "@weft/shared/wire/policy-field";
import type { RateLimit } from "../enrolment/rate-limit.ts";
import type { GuardReach } from "../fleet/guard-reach.ts";
import type { NodeGate } from "./authorise.ts";
import type { ComponentFiles } from "./component-files.ts";
import type { Handlers } from "./handlers.ts";
import type { MintingDesk } from "./minting-desk.ts";
import type { SessionHandler } from "./session-handler.ts";

export interface AgentServiceParts {
  readonly handlers: Handlers;
  readonly gate: NodeGate;
  readonly minting: MintingDesk;
  /** Of certificates, per node and kind. */
  readonly mintLimit: RateLimit;
  readonly components: ComponentFiles;
  readonly sessions: SessionHandler;
  readonly guardReach: GuardReach;
  readonly bundle: () => SignedTrustBundle | undefined;
  readonly leave: (node: string) => Promise<void>;
  readonly now: () => Date;
}

export function agentService(parts: AgentServiceParts): AgentServiceServer {
  const { handlers, gate, minting, components } = parts;
  const requireRoom = (kind: string, node: string) => {
    if (!parts.mintLimit.admits(`${kind} ${node}`, parts.now()))
      throw new WeftError("WEFT-E208", `${node} asks for too many certificates; try again in a minute`);
  };
  return {
    session: (call) => parts.sessions.handle(call),
    renewIdentity: handlers.unary("RenewIdentity", async ({ csr }, call) => {
      const { node } = gate.admit(call);
      requireRoom("node", node.name);
      const svid = await minting.nodeSvid(node.name, csr);
      gate.admit(call);
      return { svid, bundle: parts.bundle() };
    }),
    mintExchange: handlers.unary("MintExchange", async ({ csr }, call) => {
      const { node } = gate.admit(call);
      requireRoom("exchange", node.name);
      const svid = await minting.exchangeSvid(node.name, csr);
      gate.admit(call);
      return { svid };
    }),
    fetchComponent: handlers.streaming("FetchComponent", async (wanted, send, signal, call) => {
      gate.admit(call);
      let first = true;
      await components.stream(
        wanted,
        async (data, totalBytes) => {
          await send({ data, totalBytes: first ? BigInt(totalBytes) : 0n });
          first = false;
        },
        signal,
      );
    }),
    probe: handlers.unary("Probe", ({ nonce }, call) => {
      gate.admit(call);
      return { nonce: nonce.subarray(0, 64), serverTime: parts.now() };
    }),
    probeBack: handlers.unary("ProbeBack", async ({ ports }, call) => {
      const { node } = gate.admit(call);
      return { ports: await parts.guardReach.probe(node.name, ports.map(decodePort)) };
    }),
    leave: handlers.unary("Leave", async (_request, call) => {
      const { node } = gate.admit(call);
      await parts.leave(node.name);
      return {};
    }),
  };
}
