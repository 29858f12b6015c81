// What the coordinator keeps: one type per kind of record. No behaviour.
import type { DesiredState } from "@weft/shared/model/desired";
import type { Course } from "../rollout/course.ts";

/** One file of the mesh, verbatim. */
export interface SourceText {
  readonly name: string;
  readonly text: string;
}

export interface Revision {
  readonly revision: number;
  readonly at: Date;
  readonly claimedBy: string;
  readonly reason: string;
  /** Hex SHA-256 of the sources. */
  readonly digest: string;
  /** The revision whose sources these are again: after a rollback, or when a rollout was taken back. */
  readonly restores?: number | undefined;
}

/** superseded: a newer revision came before it was over. stopped: taken back by the revision `endedBy`. */
export const rolloutStates = ["running", "done", "stopped", "superseded"] as const;
export type RolloutState = (typeof rolloutStates)[number];

/** How nodes are to take what they are given. */
export interface GivingFlags {
  /** 0: the default. */
  readonly confirmTimeoutSeconds: number;
  /** They leave established flows that the new rules forbid. */
  readonly keepEstablished: boolean;
}

export interface RolloutRecord {
  /** What is rolled out. */
  readonly revision: number;
  /** What is in force wherever it has not come to, and everywhere when it is stopped. */
  readonly base: number;
  readonly state: RolloutState;
  readonly course: Course;
  /** As the apply asked; taking it back asks for the same. */
  readonly flags: GivingFlags;
  /** Of one that was stopped. */
  readonly why: string;
  /** The revision that took it back or came in between. */
  readonly endedBy: number | undefined;
}

/**
 * joining: has an SVID, no confirmed generation yet. enrolled: confirmed one. suspended: two machines claim it.
 * left: undid everything and said so. removed, banned: by the operator.
 */
export const enrolmentStates = ["joining", "enrolled", "suspended", "left", "removed", "banned"] as const;
export type EnrolmentState = (typeof enrolmentStates)[number];

/** Certificates handed out once, kept so that a lost answer can be given again. */
export interface GivenSvid {
  readonly csrHash: string;
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly expires: Date;
}

export interface NodeRecord {
  readonly name: string;
  readonly state: EnrolmentState;
  /** Ed25519, SPKI DER. */
  readonly enrolmentKey: Uint8Array;
  /** Grows with every re-entry. */
  readonly enrolmentGeneration: number;
  /** SVIDs that begin earlier belong to an enrolment that is over. */
  readonly svidNotBefore: Date;
  readonly joinedAt: Date;
  readonly agentVersion: string;
  readonly lastSeen: Date | undefined;
  readonly reEntry: GivenSvid | undefined;
  /** When the last exchange SVID of this node ends: before that, its SPIRE agent could attest again. */
  readonly exchangeExpires: Date | undefined;
}

export interface TokenRecord {
  /** Hex SHA-256. */
  readonly hash: string;
  readonly node: string;
  /** The only address it may be used from; undefined: any. */
  readonly address: string | undefined;
  readonly expires: Date;
  /** Set by the first key that presents it. */
  readonly claim: TokenClaim | undefined;
  readonly answer: GivenSvid | undefined;
}

export interface TokenClaim {
  /** Hex SHA-256 of the enrolment key. */
  readonly key: string;
  readonly address: string;
}

export type StoredDesired = DesiredState;

/** As encoded on the wire, so that the store needs no knowledge of it. */
export interface StoredReport {
  readonly node: string;
  readonly report: Uint8Array | undefined;
  readonly facts: Uint8Array | undefined;
}

/** Delete this SPIRE agent once no exchange SVID of its node is valid any more. */
export interface Eviction {
  readonly node: string;
  readonly agentId: string;
  readonly due: Date;
}

/** Of a node, by name, and by the addresses of its machine then, whatever the mesh says later. */
export interface Ban {
  readonly node: string;
  readonly addresses: readonly string[];
  readonly at: Date;
  readonly claimedBy: string;
  readonly reason: string;
}

export interface AuditEntry {
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: string;
}
