// What the coordinator asks of the SPIRE server. The real one is spire-client.ts; tests may stand in for it.
// Every call fails with WEFT-E501 when the server refuses or cannot be reached.

export interface EntrySelector {
  readonly type: string;
  readonly value: string;
}

/** A registration entry as Weft writes it. */
export interface RegistrationEntry {
  readonly id: string;
  readonly spiffeId: string;
  readonly parentId: string;
  readonly selectors: readonly EntrySelector[];
  /** In its certificates, the first one as the common name, too; undefined: none. */
  readonly dnsNames?: readonly string[];
}

/** An entry as found, Weft's or not; with what Weft never sets but must see. */
export interface FoundEntry extends RegistrationEntry {
  readonly admin: boolean;
  readonly downstream: boolean;
  readonly x509SvidTtlSeconds: number;
  readonly jwtSvidTtlSeconds: number;
  readonly dnsNames: readonly string[];
  readonly federatesWith: readonly string[];
  readonly storeSvid: boolean;
  readonly hint: string;
  /** Unix seconds; 0: never. */
  readonly expiresAt: number;
}

export interface SpireAgentRecord {
  readonly spiffeId: string;
  readonly attestationType: string;
  readonly svidExpires: Date | undefined;
  readonly banned: boolean;
  readonly canReattest: boolean;
}

export interface SpireBundle {
  readonly trustDomain: string;
  /** X.509 authorities, DER. Tainted ones are on their way out but still trusted. */
  readonly roots: readonly Uint8Array[];
  readonly taintedRoots: readonly Uint8Array[];
  readonly sequence: number;
}

export interface MintedSvid {
  readonly spiffeId: string;
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly notBefore: Date;
  readonly expires: Date;
}

export interface MintRequest {
  /** Must prove possession of its key and name exactly `spiffeId`, nothing else: WEFT-E206 otherwise. */
  readonly csrDer: Uint8Array;
  readonly spiffeId: string;
  readonly ttlSeconds: number;
}

/** One entry of a batch that the server refused. */
export interface EntryFailure {
  readonly id: string;
  readonly message: string;
}

export interface SpireServer {
  /** Minted and checked: the leaf is for the request's key and ID, and chains to the bundle. */
  mintX509Svid(request: MintRequest): Promise<MintedSvid>;
  bundle(): Promise<SpireBundle>;
  listEntries(): Promise<FoundEntry[]>;
  createEntries(entries: readonly RegistrationEntry[]): Promise<EntryFailure[]>;
  /** Overwrites whatever the entry was. */
  updateEntries(entries: readonly RegistrationEntry[]): Promise<EntryFailure[]>;
  deleteEntries(ids: readonly string[]): Promise<EntryFailure[]>;
  listAgents(): Promise<SpireAgentRecord[]>;
  /** The agent may come back by attesting again. False if there was none. */
  deleteAgent(spiffeId: string): Promise<boolean>;
  /** Refused until the agent is deleted. False if there was none. */
  banAgent(spiffeId: string): Promise<boolean>;
  close(): void;
}
