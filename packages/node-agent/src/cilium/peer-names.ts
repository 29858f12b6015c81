// In: numbers of identities, and this machine's Cilium agent. Out: the hash of the SPIFFE ID that each stands for, by its label.
// Asked once each: a number's labels never change while an agent runs.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { CiliumClient } from "./agent-client.ts";

/** Numbers that stand for labels of all nodes; below are reserved ones, above a node's own of addresses (pkg/identity). */
const [firstShared, lastShared] = [256, 65_535];
const mostKept = 1_024;
const mostAsked = 32;
const withinMs = 1_000;
const label = /^spiffe:id=([0-9a-f]{40})$/;

export class PeerNames {
  readonly #client: Pick<CiliumClient, "identityLabels">;
  readonly #known = new Map<number, string>();

  constructor(client: Pick<CiliumClient, "identityLabels">) {
    this.#client = client;
  }

  /** Those of another agent may mean something else. */
  forget(): void {
    this.#known.clear();
  }

  /** Empty: none, or not known. */
  of(identity: number): string {
    return this.#known.get(identity) ?? "";
  }

  /** What the agent does not tell is asked for again the next time. */
  async learn(identities: Iterable<number>): Promise<void> {
    if (this.#known.size > mostKept) this.#known.clear();
    const asked = [...new Set(identities)]
      .filter((each) => each >= firstShared && each <= lastShared && !this.#known.has(each))
      .slice(0, mostAsked);
    for (const identity of asked) {
      try {
        const labels = await this.#client.identityLabels(identity, { timeoutMs: withinMs });
        this.#known.set(identity, labels.map((each) => label.exec(each)?.[1]).find(Boolean) ?? "");
      } catch (failure) {
        if (!isWeftError(failure)) throw failure;
        return;
      }
    }
  }
}
