// What the coordinator asks of its store. Every call is durable when it returns; a transaction is all or nothing.
// Synchronous on purpose: a decision and its record can then never be separated by another decision.
import type {
  AuditEntry,
  Ban,
  EnrolmentState,
  Eviction,
  GivenSvid,
  NodeRecord,
  Revision,
  RolloutRecord,
  SourceText,
  StoredDesired,
  StoredReport,
  TokenClaim,
  TokenRecord,
} from "./records.ts";

export interface RevisionTable {
  current(): Revision | undefined;
  /** Newest first. */
  list(): Revision[];
  sources(revision: number): SourceText[] | undefined;
  append(entry: Omit<Revision, "revision">, sources: readonly SourceText[]): Revision;
}

export interface RolloutTable {
  /** There is never more than one. */
  running(): RolloutRecord | undefined;
  get(revision: number): RolloutRecord | undefined;
  /** Newest first. */
  list(): RolloutRecord[];
  put(rollout: RolloutRecord): void;
}

export interface NodeTable {
  get(name: string): NodeRecord | undefined;
  list(): NodeRecord[];
  put(node: NodeRecord): void;
  setState(name: string, state: EnrolmentState): void;
  setReEntry(name: string, generation: number, given: GivenSvid): void;
  setExchangeExpires(name: string, at: Date): void;
  setSeen(name: string, at: Date, agentVersion: string): void;
}

export interface TokenTable {
  get(hash: string): TokenRecord | undefined;
  put(token: TokenRecord): void;
  claim(hash: string, claim: TokenClaim): void;
  answer(hash: string, given: GivenSvid): void;
  /** Newer tokens replace older ones of the same node. */
  dropOf(node: string): void;
  dropExpired(before: Date): void;
}

export interface DesiredTable {
  get(node: string): StoredDesired | undefined;
  list(): StoredDesired[];
  put(state: StoredDesired): void;
  drop(node: string): void;
}

export interface ReportTable {
  list(): StoredReport[];
  put(entry: StoredReport): void;
  drop(node: string): void;
}

export interface SettingTable {
  number(name: string): number | undefined;
  setNumber(name: string, value: number): void;
  bytes(name: string): Uint8Array | undefined;
  setBytes(name: string, value: Uint8Array): void;
}

export interface EvictionTable {
  get(node: string): Eviction | undefined;
  list(): Eviction[];
  put(eviction: Eviction): void;
  drop(node: string): void;
}

export interface BanTable {
  get(node: string): Ban | undefined;
  list(): Ban[];
  put(ban: Ban): void;
  drop(node: string): void;
  /** Grows with every ban and every end of one, and never shrinks. */
  epoch(): number;
}

export interface AuditTable {
  append(entry: AuditEntry): void;
  /** Newest first. */
  list(limit: number): AuditEntry[];
  newest(subject: string, actions: readonly string[]): AuditEntry | undefined;
}

export interface Store {
  readonly revisions: RevisionTable;
  readonly rollouts: RolloutTable;
  readonly nodes: NodeTable;
  readonly tokens: TokenTable;
  readonly desired: DesiredTable;
  readonly reports: ReportTable;
  readonly settings: SettingTable;
  readonly evictions: EvictionTable;
  readonly bans: BanTable;
  readonly audit: AuditTable;
  /** Nested calls join the outer one. */
  transaction<T>(work: () => T): T;
  close(): void;
}
