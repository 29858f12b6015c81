// In: SPIRE's roots, bans. Out: the signed trust bundle that nodes are given: signed anew when its content changes
// and before half of its life, each time under a higher sequence, which is on disk before the bundle leaves.
import { SignedTrustBundle, TrustBundle as TrustBundleMessage } from "@weft/shared/gen/weft/v1/trust";
import { digestOf } from "@weft/shared/plan/canonical";
import { bundleLifeMs, type TrustBundle } from "@weft/shared/wire/trust-bundle";
import type { SpireServer } from "../spire/spire-server.ts";
import type { Store } from "../store/store.ts";
import type { BundleSigner } from "../trust/bundle-signer.ts";

export interface PublisherParts {
  readonly store: Store;
  readonly spire: Pick<SpireServer, "bundle">;
  readonly signer: Pick<BundleSigner, "sign" | "meshId">;
  readonly trustDomain: string;
  readonly now: () => Date;
  readonly published: (bundle: Published) => void;
}

export interface Published {
  readonly signed: SignedTrustBundle;
  readonly sequence: number;
  readonly banEpoch: number;
  readonly roots: readonly Uint8Array[];
}

interface Current extends Published {
  readonly content: string;
  readonly issued: Date;
}

const keptAs = "trust bundle";
const sequenceAs = "bundle sequence";

/** Everything a node acts on, in one comparable text. */
function contentOf(roots: readonly Uint8Array[], banEpoch: number, bannedNodes: readonly string[]): string {
  return digestOf({
    roots: roots.map((root) => Buffer.from(root).toString("base64")).sort(),
    banEpoch,
    bannedNodes,
  });
}

export class BundlePublisher {
  readonly #parts: PublisherParts;
  #current: Current | undefined;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  get current(): Published | undefined {
    return this.#current;
  }

  /** What was published before the last stop, so that a start does not wait for SPIRE. */
  load(): void {
    const bytes = this.#parts.store.settings.bytes(keptAs);
    if (bytes === undefined) return;
    const signed = SignedTrustBundle.decode(bytes);
    const message = TrustBundleMessage.decode(signed.bundle);
    const expired = message.expires === undefined || message.expires <= this.#parts.now();
    if (expired || message.meshId !== this.#parts.signer.meshId) return;
    this.#publish({
      signed,
      sequence: Number(message.sequence),
      banEpoch: Number(message.banEpoch),
      roots: message.roots,
      content: contentOf(message.roots, Number(message.banEpoch), message.bannedNodes),
      issued: message.issued ?? new Date(0),
    });
  }

  /** To be called often. Fails when the SPIRE server does; what was published stays. */
  async refresh(): Promise<void> {
    const { store, spire, now } = this.#parts;
    const { roots } = await spire.bundle();
    const banEpoch = store.bans.epoch();
    const banned = store.nodes
      .list()
      .filter((node) => node.state === "banned")
      .map((node) => node.name);
    const content = contentOf(roots, banEpoch, banned);
    const current = this.#current;
    const young = current !== undefined && now().getTime() - current.issued.getTime() < bundleLifeMs / 2;
    if (young && current.content === content) return;
    this.#sign(roots, banEpoch, banned, content);
  }

  #sign(
    roots: readonly Uint8Array[],
    banEpoch: number,
    bannedNodes: readonly string[],
    content: string,
  ): void {
    const { store, signer, trustDomain, now } = this.#parts;
    const issued = now();
    const sequence = (store.settings.number(sequenceAs) ?? 0) + 1;
    const bundle: TrustBundle = {
      meshId: signer.meshId,
      trustDomain,
      sequence,
      issued,
      expires: new Date(issued.getTime() + bundleLifeMs),
      roots,
      revokedAuthorityIds: [],
      banEpoch,
      bannedNodes,
    };
    const signed = signer.sign(bundle);
    store.transaction(() => {
      store.settings.setNumber(sequenceAs, sequence);
      store.settings.setBytes(keptAs, SignedTrustBundle.encode(signed).finish());
    });
    this.#publish({ signed, sequence, banEpoch, roots, content, issued });
  }

  #publish(bundle: Current): void {
    this.#current = bundle;
    this.#parts.published(bundle);
  }
}
