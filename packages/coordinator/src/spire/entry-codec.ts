// In: entries, agents and bundles as the SPIRE server API has them. Out: the model's, and back. Pure.

import type * as wire from "@weft/shared/gen/third_party/spire/types";
import type { Bundle } from "@weft/shared/gen/third_party/spire/types";
import { formatSpiffeId, parseSpiffeId } from "@weft/shared/spiffe/spiffe-id";
import type { FoundEntry, RegistrationEntry, SpireAgentRecord, SpireBundle } from "./spire-server.ts";

export function encodeId(spiffeId: string): wire.SPIFFEID {
  const { trustDomain, path } = parseSpiffeId(spiffeId);
  return { trustDomain, path };
}

function decodeId(id: wire.SPIFFEID | undefined): string {
  return id === undefined ? "" : formatSpiffeId({ trustDomain: id.trustDomain, path: id.path });
}

export function encodeEntry(entry: RegistrationEntry): wire.Entry {
  return {
    id: entry.id,
    spiffeId: encodeId(entry.spiffeId),
    parentId: encodeId(entry.parentId),
    selectors: entry.selectors.map(({ type, value }) => ({ type, value })),
    x509SvidTtl: 0,
    federatesWith: [],
    admin: false,
    downstream: false,
    expiresAt: 0n,
    dnsNames: [...(entry.dnsNames ?? [])],
    revisionNumber: 0n,
    storeSvid: false,
    jwtSvidTtl: 0,
    hint: "",
    createdAt: 0n,
  };
}

export function decodeEntry(entry: wire.Entry): FoundEntry {
  return {
    id: entry.id,
    spiffeId: decodeId(entry.spiffeId),
    parentId: decodeId(entry.parentId),
    selectors: entry.selectors,
    admin: entry.admin,
    downstream: entry.downstream,
    x509SvidTtlSeconds: entry.x509SvidTtl,
    jwtSvidTtlSeconds: entry.jwtSvidTtl,
    dnsNames: entry.dnsNames,
    federatesWith: entry.federatesWith,
    storeSvid: entry.storeSvid,
    hint: entry.hint,
    expiresAt: Number(entry.expiresAt),
  };
}

export function decodeAgent(agent: wire.Agent): SpireAgentRecord {
  return {
    spiffeId: decodeId(agent.id),
    attestationType: agent.attestationType,
    svidExpires:
      agent.x509svidExpiresAt === 0n ? undefined : new Date(Number(agent.x509svidExpiresAt) * 1000),
    banned: agent.banned,
    canReattest: agent.canReattest,
  };
}

export function decodeBundle(bundle: Bundle): SpireBundle {
  const all = bundle.x509Authorities;
  return {
    trustDomain: bundle.trustDomain,
    roots: all.map(({ asn1 }) => asn1),
    taintedRoots: all.filter(({ tainted }) => tainted).map(({ asn1 }) => asn1),
    sequence: Number(bundle.sequenceNumber),
  };
}
