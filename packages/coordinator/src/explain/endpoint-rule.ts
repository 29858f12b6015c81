// In: what an endpoint of Cilium was given, and one connection. Out: the rule that decides it there. Pure. This is what should
// be in force: what is, the endpoint's own node says.
import { covers } from "@weft/shared/model/address";
import type { CiliumPeer, CiliumRule } from "@weft/shared/model/cilium-policy";
import type { AskedPort } from "./endpoints.ts";

/** The other end, as the endpoint knows it. */
export interface EndpointPeer {
  /** Of an endpoint; else it is known by its address. */
  readonly spiffeId: string | undefined;
  readonly address: string;
  /** The machine the endpoint is on. */
  readonly isHost: boolean;
}

export interface RuledBy {
  readonly passes: boolean;
  /** undefined: none is concerned with it. */
  readonly rule: CiliumRule | undefined;
}

export function ruledBy(
  rules: readonly CiliumRule[],
  direction: CiliumRule["direction"],
  peer: EndpointPeer,
  port: AskedPort,
): RuledBy {
  const own = rules.filter(
    (rule) => rule.direction === direction && isOf(rule.peer, peer) && hasPort(rule, port),
  );
  const denied = own.find(({ action }) => action === "deny");
  const rule = denied ?? own[0];
  return { passes: rule !== undefined && denied === undefined, rule };
}

function isOf(ruled: CiliumPeer, { spiffeId, address, isHost }: EndpointPeer): boolean {
  if (ruled.kind === "service") return ruled.spiffeId === spiffeId;
  // an endpoint has no other identity, and its machine none but the host's
  if (spiffeId !== undefined) return false;
  if (ruled.kind === "host") return isHost;
  if (isHost) return false;
  if (ruled.kind === "node") return ruled.address === address;
  return covers(ruled.cidr, address) && !ruled.except.some((part) => covers(part, address));
}

function hasPort({ ports }: CiliumRule, { protocol, port }: AskedPort): boolean {
  return (
    ports === undefined ||
    ports.some((range) => range.protocol === protocol && range.from <= port && port <= range.to)
  );
}
