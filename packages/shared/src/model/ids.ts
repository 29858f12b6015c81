// In: text from outside. Out: branded names. Rule: a name is a DNS label (RFC 1123), because it becomes one.
import { WeftError } from "../errors/weft-error.ts";

declare const brand: unique symbol;
type Branded<B extends string> = string & { readonly [brand]: B };

export type NodeName = Branded<"node">;

/** Hex SHA-256 of a canonical form. */
export type Digest = Branded<"digest">;

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export function isLabel(text: string): boolean {
  return label.test(text);
}

export function parseNodeName(text: string): NodeName {
  if (isLabel(text)) return text as NodeName;
  throw new WeftError("WEFT-E003", `"${text}" is no node name`, {
    hint: "use 1 to 63 of a-z, 0-9 and -, not beginning or ending with -",
  });
}

export function parseDigest(text: string): Digest {
  if (/^[0-9a-f]{64}$/.test(text)) return text as Digest;
  throw new WeftError("WEFT-E003", `"${text}" is no SHA-256 digest`, { hint: "64 lower-case hex digits" });
}

/** The SPIFFE IDs Weft itself gives out (design: names and places). */
export function coordinatorId(trustDomain: string): string {
  return `spiffe://${trustDomain}/weft/coordinator`;
}
export function nodeId(trustDomain: string, node: string): string {
  return `spiffe://${trustDomain}/weft/node/${node}`;
}
export function exchangeId(trustDomain: string, node: string): string {
  return `spiffe://${trustDomain}/spire-exchange/${node}`;
}
/** Of a node's member of the mesh's own etcd, and of its agent of Cilium as a client of it. */
export function etcdMemberId(trustDomain: string, node: string): string {
  return `spiffe://${trustDomain}/weft/etcd/${node}`;
}
export function ciliumClientId(trustDomain: string, node: string): string {
  return `spiffe://${trustDomain}/weft/cilium/${node}`;
}
export function spireAgentId(trustDomain: string, node: string): string {
  return `spiffe://${trustDomain}/spire/agent/x509pop/${node}`;
}
