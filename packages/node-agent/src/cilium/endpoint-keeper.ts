// In: the endpoints of Cilium that this node's services should have. Out: each there and ready, or an error and nothing left
// of it: no half-made endpoint, no claimed address. One call at a time for the same owner.
import { isWeftError, messageOf, WeftError } from "@weft/shared/errors/weft-error";
import type { Clock } from "../host/host.ts";
import type { CallOptions, CiliumClient } from "./agent-client.ts";
import { decideEndpoint, type EndpointChange, isDone } from "./decide-endpoint.ts";
import type { EndpointWish } from "./endpoint-wish.ts";
import type { CiliumEndpoint } from "./parse-endpoint.ts";

/** Owners of Weft's endpoints begin so. */
export const ownerPrefix = "weft-";

const pollMs = 100;

export interface KeeperLimits {
  /** From the agent's answer to an endpoint that is ready: new programs are compiled, new labels wait 5 s. */
  readonly readyMs: number;
  /** How long it is tried to take back what failed: an agent that rolls back itself needs a moment. */
  readonly undoMs: number;
}

const usualLimits: KeeperLimits = { readyMs: 60_000, undoMs: 10_000 };

export interface KeptEndpoint {
  readonly change: EndpointChange;
  readonly endpoint: CiliumEndpoint;
}

export class EndpointKeeper {
  readonly #client: CiliumClient;
  readonly #clock: Clock;
  readonly #limits: KeeperLimits;

  constructor(client: CiliumClient, clock: Clock, limits: KeeperLimits = usualLimits) {
    this.#client = client;
    this.#clock = clock;
    this.#limits = limits;
  }

  /** @param options the time is for each call; an abort ends the agent's work at once */
  async ensure(wish: EndpointWish, options: CallOptions = {}): Promise<KeptEndpoint> {
    const change = decideEndpoint(await this.#client.endpoint(wish.owner, options), wish);
    if (change.kind === "recreate") await this.#client.deleteEndpoint(wish.owner, options);
    if (change.kind === "create" || change.kind === "recreate")
      return { change, endpoint: await this.#create(wish, options) };
    if (change.kind === "relabel") await this.#client.patchLabels(wish.owner, wish.labels, options);
    return { change, endpoint: await this.#untilReady(wish, options) };
  }

  /** @returns the owners whose endpoints are gone: those of Weft that nobody wants */
  async removeOrphans(wanted: ReadonlySet<string>, options?: CallOptions): Promise<string[]> {
    const removed: string[] = [];
    const failures: unknown[] = [];
    for (const { owner } of await this.#client.endpoints(options)) {
      if (owner === undefined || !owner.startsWith(ownerPrefix) || wanted.has(owner)) continue;
      try {
        await this.#client.deleteEndpoint(owner, options);
        removed.push(owner);
      } catch (failure) {
        if (!isWeftError(failure)) throw failure;
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw failures[0];
    return removed;
  }

  /** @returns those whose datapath enforces a policy at least as new */
  async realised(owners: readonly string[], revision: number, options?: CallOptions): Promise<string[]> {
    const newest = new Map(
      (await this.#client.endpoints(options)).map((each) => [each.owner, each.realisedRevision]),
    );
    return owners.filter((owner) => (newest.get(owner) ?? -1) >= revision);
  }

  async #create(wish: EndpointWish, options: CallOptions): Promise<CiliumEndpoint> {
    await this.#claim(wish, options);
    try {
      await this.#client.putEndpoint(wish, options);
      return await this.#untilReady(wish, options);
    } catch (failure) {
      throw await this.#undone(wish, failure);
    }
  }

  async #claim({ address, owner }: EndpointWish, options: CallOptions): Promise<void> {
    if ((await this.#client.claimAddress(address, owner, options)) === "claimed") return;
    // claimed by a try of our own that ended before it could release it, with no endpoint
    const holder = (await this.#client.health(options)).allocations.get(address);
    if (holder === owner) {
      await this.#client.releaseAddress(address, options);
      if ((await this.#client.claimAddress(address, owner, options)) === "claimed") return;
    }
    throw new WeftError("WEFT-E004", `the address ${address} of ${owner} is taken`, {
      why: `the Cilium agent has given it to ${holder ?? "somebody it does not name"}`,
      hint: "see whose it is (cilium-dbg endpoint list; cilium-dbg status --verbose) and remove that endpoint",
    });
  }

  async #untilReady(wish: EndpointWish, options: CallOptions): Promise<CiliumEndpoint> {
    const deadline = this.#clock.now().getTime() + this.#limits.readyMs;
    for (;;) {
      const found = await this.#look(wish, options);
      if (isWeftError(found)) {
        // an agent that is asked too much, or starts again with its endpoints kept, answers in time
        if (this.#clock.now().getTime() >= deadline) throw found;
      } else {
        if (isDone(found, wish)) return found;
        if (this.#clock.now().getTime() >= deadline) throw notReady(wish, found, this.#limits.readyMs);
      }
      await this.#clock.sleep(pollMs, options.signal);
    }
  }

  async #look({ owner }: EndpointWish, options: CallOptions): Promise<CiliumEndpoint | WeftError> {
    let found: CiliumEndpoint | undefined;
    try {
      found = await this.#client.endpoint(owner, options);
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      return failure;
    }
    if (found !== undefined) return found;
    throw new WeftError("WEFT-E004", `the endpoint of ${owner} is gone while it was waited for`, {
      why: "the Cilium agent began anew without it, or somebody removed it",
      hint: "it is made again with the next try; journalctl -u weft-cilium tells what the agent did",
    });
  }

  /** Not ended by what ended the try. @returns what failed, and what could not be taken back */
  async #undone({ owner, address }: EndpointWish, cause: unknown): Promise<unknown> {
    const deadline = this.#clock.now().getTime() + this.#limits.undoMs;
    for (;;) {
      try {
        await this.#client.deleteEndpoint(owner);
        await this.#client.releaseAddress(address);
        return cause;
      } catch (failure) {
        if (!isWeftError(failure)) throw failure;
        if (this.#clock.now().getTime() >= deadline)
          return new WeftError(
            "WEFT-E004",
            `the endpoint of ${owner} was not made, nor all of it taken back`,
            {
              why: `${messageOf(cause)}; then ${messageOf(failure)}`,
              hint: failure.hint ?? "it is tried again with the next try to make it",
              cause,
            },
          );
      }
      await this.#clock.sleep(pollMs);
    }
  }
}

function notReady({ owner }: EndpointWish, found: CiliumEndpoint, withinMs: number): WeftError {
  return new WeftError("WEFT-E005", `the endpoint of ${owner} was not ready within ${withinMs / 1000} s`, {
    why: `it is ${found.state}, with ${found.identity === undefined ? "no identity" : `identity ${found.identity}`}`,
    hint: "see journalctl -u weft-cilium; without etcd there is no identity, and under load clang needs 10 s",
  });
}
