// In: the SPIRE server, the clock. Out: the coordinator's own SVID, always one that clocks 5 minutes off accept:
// renewed at half of its life on a fresh key, presented when old enough, kept on disk for the next start.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { isWeftError } from "@weft/shared/errors/weft-error";
import { coordinatorId } from "@weft/shared/model/ids";
import { derToPem, pemToDers, readCertificate } from "@weft/shared/spiffe/certificate";
import { makeCsr } from "@weft/shared/spiffe/csr";
import { formatSpiffeId } from "@weft/shared/spiffe/spiffe-id";
import { checkLeaf } from "@weft/shared/spiffe/x509-svid";
import type { Logger } from "../logger.ts";
import type { SpireServer } from "../spire/spire-server.ts";

export interface OwnSvid {
  readonly certChainPem: string;
  readonly keyPem: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** One text: chain and key. */
export interface SvidFile {
  read(): Promise<string | undefined>;
  write(text: string): Promise<void>;
}

export const settleMs = 5 * 60_000;

export interface IdentityStep {
  readonly present: "current" | "candidate";
  readonly mint: boolean;
}

type Validity = Pick<OwnSvid, "notBefore" | "notAfter">;

/** What to do now, given the SVID in use and its successor. Pure. */
export function identityStep(
  current: Validity | undefined,
  candidate: Validity | undefined,
  now: Date,
): IdentityStep {
  const at = now.getTime();
  const alive = current !== undefined && at < current.notAfter.getTime();
  if (candidate !== undefined) {
    const settled = at >= candidate.notBefore.getTime() + settleMs;
    const dying = !alive || current.notAfter.getTime() - at <= settleMs;
    return { present: settled || dying ? "candidate" : "current", mint: false };
  }
  if (!alive) return { present: "current", mint: true };
  const life = current.notAfter.getTime() - current.notBefore.getTime();
  return { present: "current", mint: at >= current.notBefore.getTime() + life / 2 };
}

/** The SVID in a file's text, or undefined if it is not a whole one of the coordinator's. */
export function readOwnSvid(text: string, trustDomain: string): OwnSvid | undefined {
  try {
    const [leafDer] = pemToDers(text);
    const start = text.indexOf("-----BEGIN PRIVATE KEY-----");
    if (leafDer === undefined || start < 0) return undefined;
    const leaf = readCertificate(leafDer);
    const keyPem = text.slice(start);
    const fits = new X509Certificate(leafDer).checkPrivateKey(createPrivateKey(keyPem));
    if (!fits || formatSpiffeId(checkLeaf(leaf)) !== coordinatorId(trustDomain)) return undefined;
    return { certChainPem: text.slice(0, start), keyPem, notBefore: leaf.notBefore, notAfter: leaf.notAfter };
  } catch (failure) {
    // A damaged file is as good as none: a new SVID is minted.
    if (isWeftError(failure) || (failure as { code?: unknown }).code !== undefined) return undefined;
    throw failure;
  }
}

export interface OwnIdentityParts {
  readonly spire: Pick<SpireServer, "mintX509Svid">;
  readonly trustDomain: string;
  readonly ttlSeconds: number;
  readonly now: () => Date;
  readonly file: SvidFile;
  readonly log: Logger;
  readonly present: (svid: OwnSvid) => void;
}

export class OwnIdentity {
  readonly #parts: OwnIdentityParts;
  #current: OwnSvid | undefined;
  #candidate: OwnSvid | undefined;
  #loaded = false;
  /** Presented, and not on disk yet. */
  #unkept: OwnSvid | undefined;

  constructor(parts: OwnIdentityParts) {
    this.#parts = parts;
  }

  get expires(): Date | undefined {
    return this.#current?.notAfter;
  }

  /** To be called often; does what is due. Fails when the SPIRE server does; what is in use stays in use. */
  async tend(): Promise<void> {
    const { now, log } = this.#parts;
    if (!this.#loaded) await this.#load();
    if (identityStep(this.#current, this.#candidate, now()).mint) {
      this.#candidate = await this.#mint();
      log.info("own SVID minted", { expires: this.#candidate.notAfter });
    }
    const candidate = this.#candidate;
    if (candidate === undefined) return;
    if (identityStep(this.#current, candidate, now()).present !== "candidate") return;
    this.#use(candidate);
    this.#candidate = undefined;
    this.#unkept = candidate;
    log.info("own SVID presented", { expires: candidate.notAfter });
  }

  /** After `tend`: what is presented is written down for the next start, tried again until it is. */
  async keep(): Promise<void> {
    const svid = this.#unkept;
    if (svid === undefined) return;
    await this.#parts.file.write(`${svid.certChainPem}${svid.keyPem}`);
    if (this.#unkept === svid) this.#unkept = undefined;
  }

  async #load(): Promise<void> {
    this.#loaded = true;
    const text = await this.#parts.file.read();
    const kept = text === undefined ? undefined : readOwnSvid(text, this.#parts.trustDomain);
    if (kept !== undefined && kept.notAfter > this.#parts.now()) this.#use(kept);
  }

  #use(svid: OwnSvid): void {
    this.#parts.present(svid);
    this.#current = svid;
  }

  async #mint(): Promise<OwnSvid> {
    const { spire, trustDomain, ttlSeconds } = this.#parts;
    const spiffeId = coordinatorId(trustDomain);
    const { csrDer, privateKeyPkcs8Pem } = makeCsr(spiffeId);
    const minted = await spire.mintX509Svid({ csrDer, spiffeId, ttlSeconds });
    return {
      certChainPem: minted.chain.map((der) => derToPem(der)).join(""),
      keyPem: privateKeyPkcs8Pem,
      notBefore: minted.notBefore,
      notAfter: minted.expires,
    };
  }
}
