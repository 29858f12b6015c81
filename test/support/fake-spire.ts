// In: a certificate authority of the test's own. Out: a SPIRE server's behaviour as far as the coordinator uses it:
// real certificates for real requests, entries in memory; it can be made to be away.
import { createPublicKey } from "node:crypto";
import { checkCsr } from "../../packages/coordinator/src/spire/minting.ts";
import type {
  EntryFailure,
  FoundEntry,
  MintedSvid,
  MintRequest,
  RegistrationEntry,
  SpireAgentRecord,
  SpireBundle,
  SpireServer,
} from "../../packages/coordinator/src/spire/spire-server.ts";
import { WeftError } from "../../packages/shared/src/errors/weft-error.ts";
import { type Issued, makeKeys, makeLeaf, makeRoot } from "./test-ca.ts";

/** SPIRE dates its certificates back. */
const backdateMs = 10_000;

export class FakeSpire implements SpireServer {
  readonly trustDomain: string;
  root: Issued;
  roots: Uint8Array[];
  away = false;
  readonly entries = new Map<string, FoundEntry>();
  readonly banned = new Set<string>();
  readonly deleted: string[] = [];
  readonly minted: MintRequest[] = [];
  /** Requests that came, answered or not. */
  asked = 0;
  /** Set to hold minting back until it resolves. */
  gate: Promise<void> = Promise.resolve();

  constructor(trustDomain = "mesh.internal") {
    this.trustDomain = trustDomain;
    this.root = makeRoot(trustDomain);
    this.roots = [this.root.der];
  }

  #answer(): void {
    if (this.away) throw new WeftError("WEFT-E501", "the SPIRE server cannot be reached");
  }

  async mintX509Svid(request: MintRequest): Promise<MintedSvid> {
    this.#answer();
    this.asked += 1;
    await this.gate;
    const publicKeyDer = checkCsr(request.csrDer, request.spiffeId);
    this.minted.push(request);
    const publicKey = createPublicKey({ key: Buffer.from(publicKeyDer), format: "der", type: "spki" });
    const notBefore = new Date(Math.floor((Date.now() - backdateMs) / 1000) * 1000);
    const expires = new Date(Math.floor(Date.now() / 1000) * 1000 + request.ttlSeconds * 1000);
    const leaf = makeLeaf(this.root, request.spiffeId, {
      keys: { publicKey, privateKey: makeKeys().privateKey },
      notBefore,
      notAfter: expires,
    });
    return { spiffeId: request.spiffeId, chain: [leaf.der], notBefore, expires };
  }

  async bundle(): Promise<SpireBundle> {
    this.#answer();
    return {
      trustDomain: this.trustDomain,
      roots: this.roots,
      taintedRoots: [],
      sequence: this.roots.length,
    };
  }

  async listEntries(): Promise<FoundEntry[]> {
    this.#answer();
    return [...this.entries.values()];
  }

  async createEntries(entries: readonly RegistrationEntry[]): Promise<EntryFailure[]> {
    this.#answer();
    for (const entry of entries) this.entries.set(entry.id, found(entry));
    return [];
  }

  updateEntries(entries: readonly RegistrationEntry[]): Promise<EntryFailure[]> {
    return this.createEntries(entries);
  }

  async deleteEntries(ids: readonly string[]): Promise<EntryFailure[]> {
    this.#answer();
    for (const id of ids) this.entries.delete(id);
    return [];
  }

  async listAgents(): Promise<SpireAgentRecord[]> {
    return [];
  }

  async deleteAgent(spiffeId: string): Promise<boolean> {
    this.#answer();
    this.banned.delete(spiffeId);
    this.deleted.push(spiffeId);
    return true;
  }

  async banAgent(spiffeId: string): Promise<boolean> {
    this.#answer();
    this.banned.add(spiffeId);
    return true;
  }

  close(): void {}
}

export function found(entry: RegistrationEntry, change: Partial<FoundEntry> = {}): FoundEntry {
  return {
    ...entry,
    admin: false,
    downstream: false,
    x509SvidTtlSeconds: 0,
    jwtSvidTtlSeconds: 0,
    dnsNames: [],
    federatesWith: [],
    storeSvid: false,
    hint: "",
    expiresAt: 0,
    ...change,
  };
}
