// In: the path of the SPIRE server's private socket. Out: a SpireServer that speaks to it.
// Whoever may open that socket administers the trust domain: there is no TLS and no further check on it.
import { credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { connectReason } from "@weft/shared/errors/connect-reason";
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { AgentClient } from "@weft/shared/gen/third_party/spire/agent";
import { BundleClient } from "@weft/shared/gen/third_party/spire/bundle";
import { EntryClient } from "@weft/shared/gen/third_party/spire/entry";
import { SVIDClient } from "@weft/shared/gen/third_party/spire/svid";
import type { Status } from "@weft/shared/gen/third_party/spire/types";
import { decodeAgent, decodeBundle, decodeEntry, encodeEntry, encodeId } from "./entry-codec.ts";
import { checkCsr, checkMinted } from "./minting.ts";
import type {
  EntryFailure,
  FoundEntry,
  MintedSvid,
  MintRequest,
  RegistrationEntry,
  SpireAgentRecord,
  SpireBundle,
  SpireServer,
} from "./spire-server.ts";

export interface SpireClientOptions {
  readonly socketPath: string;
  /** The clock, for judging what was minted. */
  readonly now: () => Date;
  readonly deadlineMs?: number;
}

const usualDeadlineMs = 5_000;
const pageSize = 500;
/** Entries in one batch: far below the message limit of 4 MiB. */
const batchSize = 200;
/** A server that hands out page after page must end some day. */
const maxPages = 10_000;

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { deadline: Date },
  callback: (error: ServiceError | null, response: Response) => void,
) => unknown;

class SpireRefusal extends WeftError {
  readonly status: number;
  constructor(what: string, error: ServiceError) {
    const away = error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED;
    super("WEFT-E501", away ? "the SPIRE server cannot be reached" : `the SPIRE server refused to ${what}`, {
      why: away ? connectReason(error.details) : `It says: ${error.details || messageOf(error)}`,
      hint: away ? "read `journalctl -u spire-server`" : "read the SPIRE server's log for the reason",
      cause: error,
    });
    this.status = error.code;
  }
}

function isMissing(failure: unknown): boolean {
  return failure instanceof SpireRefusal && failure.status === status.NOT_FOUND;
}

export function connectSpireServer(options: SpireClientOptions): SpireServer {
  const address = `unix://${options.socketPath}`;
  const insecure = credentials.createInsecure();
  // The library would wait for up to two minutes after the server is back.
  const channel = { "grpc.initial_reconnect_backoff_ms": 200, "grpc.max_reconnect_backoff_ms": 1_000 };
  const entries = new EntryClient(address, insecure, channel);
  const agents = new AgentClient(address, insecure, channel);
  const svids = new SVIDClient(address, insecure, channel);
  const bundles = new BundleClient(address, insecure, channel);
  const deadlineMs = options.deadlineMs ?? usualDeadlineMs;

  function ask<Request, Response>(
    what: string,
    call: Unary<Request, Response>,
    request: Request,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      call(request, new Metadata(), { deadline: new Date(Date.now() + deadlineMs) }, (error, response) => {
        if (error === null) resolve(response);
        else reject(new SpireRefusal(what, error));
      });
    });
  }

  async function pages<Item>(
    fetch: (pageToken: string) => Promise<{ readonly items: readonly Item[]; readonly next: string }>,
  ): Promise<Item[]> {
    const all: Item[] = [];
    let token = "";
    for (let page = 0; page < maxPages; page++) {
      const { items, next } = await fetch(token);
      all.push(...items);
      // An empty page is no end: only an empty token is.
      if (next === "") return all;
      token = next;
    }
    throw new WeftError("WEFT-E501", "the SPIRE server's list has no end");
  }

  async function inBatches<Item>(
    items: readonly Item[],
    send: (batch: readonly Item[]) => Promise<EntryFailure[]>,
  ): Promise<EntryFailure[]> {
    const failures: EntryFailure[] = [];
    for (let start = 0; start < items.length; start += batchSize)
      failures.push(...(await send(items.slice(start, start + batchSize))));
    return failures;
  }

  /** The batch answers OK as a whole; each item has a status of its own, in the order asked. */
  function failuresOf(
    ids: readonly string[],
    results: readonly { readonly status: Status | undefined }[],
    fine: readonly number[] = [],
  ): EntryFailure[] {
    return ids.flatMap((id, index) => {
      const outcome = results[index]?.status;
      if (outcome === undefined) return [{ id, message: "the server gave no answer for it" }];
      if (outcome.code === status.OK || fine.includes(outcome.code)) return [];
      return [{ id, message: outcome.message || `status ${outcome.code}` }];
    });
  }

  async function bundle(): Promise<SpireBundle> {
    return decodeBundle(await ask("give its bundle", bundles.getBundle.bind(bundles), {}));
  }

  async function endAgent(
    what: string,
    call: Unary<{ id: ReturnType<typeof encodeId> }, unknown>,
    spiffeId: string,
  ): Promise<boolean> {
    try {
      await ask(what, call, { id: encodeId(spiffeId) });
      return true;
    } catch (failure) {
      if (isMissing(failure)) return false;
      throw failure;
    }
  }

  return {
    bundle,

    async mintX509Svid(request: MintRequest): Promise<MintedSvid> {
      const publicKeyDer = checkCsr(request.csrDer, request.spiffeId);
      const { svid } = await ask("mint an SVID", svids.mintX509Svid.bind(svids), {
        csr: Buffer.from(request.csrDer),
        ttl: request.ttlSeconds,
      });
      const chain = svid?.certChain ?? [];
      const { roots } = await bundle();
      const leaf = checkMinted(chain, {
        spiffeId: request.spiffeId,
        publicKeyDer,
        roots,
        now: options.now(),
      });
      return { spiffeId: request.spiffeId, chain, notBefore: leaf.notBefore, expires: leaf.notAfter };
    },

    async listEntries(): Promise<FoundEntry[]> {
      return pages(async (pageToken) => {
        const page = await ask("list entries", entries.listEntries.bind(entries), { pageSize, pageToken });
        return { items: page.entries.map(decodeEntry), next: page.nextPageToken };
      });
    },

    async createEntries(wanted: readonly RegistrationEntry[]): Promise<EntryFailure[]> {
      return inBatches(wanted, async (batch) => {
        const { results } = await ask("create entries", entries.batchCreateEntry.bind(entries), {
          entries: batch.map(encodeEntry),
        });
        const failures = failuresOf(
          batch.map(({ id }) => id),
          results,
          [status.ALREADY_EXISTS],
        );
        // "Already there" is success only if it is our own entry that is there.
        const strangers = batch.flatMap(({ id }, index) => {
          const result = results[index];
          if (result?.status?.code !== status.ALREADY_EXISTS || result.entry?.id === id) return [];
          return [{ id, message: `entry ${result.entry?.id ?? "?"} says the same and is not Weft's` }];
        });
        return [...failures, ...strangers];
      });
    },

    async updateEntries(wanted: readonly RegistrationEntry[]): Promise<EntryFailure[]> {
      return inBatches(wanted, async (batch) => {
        // Without a mask everything is overwritten, which is meant: Weft's entries hold nothing else.
        const { results } = await ask("update entries", entries.batchUpdateEntry.bind(entries), {
          entries: batch.map(encodeEntry),
          inputMask: undefined,
        });
        return failuresOf(
          batch.map(({ id }) => id),
          results,
        );
      });
    },

    async deleteEntries(ids: readonly string[]): Promise<EntryFailure[]> {
      return inBatches(ids, async (batch) => {
        const { results } = await ask("delete entries", entries.batchDeleteEntry.bind(entries), {
          ids: [...batch],
        });
        return failuresOf(batch, results, [status.NOT_FOUND]);
      });
    },

    async listAgents(): Promise<SpireAgentRecord[]> {
      return pages(async (pageToken) => {
        const page = await ask("list agents", agents.listAgents.bind(agents), { pageSize, pageToken });
        return { items: page.agents.map(decodeAgent), next: page.nextPageToken };
      });
    },

    deleteAgent: (spiffeId) => endAgent("delete the agent", agents.deleteAgent.bind(agents), spiffeId),
    banAgent: (spiffeId) => endAgent("ban the agent", agents.banAgent.bind(agents), spiffeId),

    close(): void {
      for (const client of [entries, agents, svids, bundles]) client.close();
    },
  };
}
