// In: calls on the control socket to ban a node, or to undo it. Out: what was done, and which kernels carry it: waited for
// as after an apply. A node that is away is named, not waited for.
import type { ControlServiceServer } from "@weft/shared/gen/weft/v1/control";
import type { BanNodeRequest, BanNodeResponse } from "@weft/shared/gen/weft/v1/guard";
import { parseAddress } from "@weft/shared/model/address";
import { parseNodeName } from "@weft/shared/model/ids";
import type { Fleet } from "../fleet/fleet.ts";
import { type NodeWord, watchApply } from "../rollout/apply-watch.ts";
import type { BanDesk, BanOutcome } from "../rollout/ban-desk.ts";
import type { Handlers } from "./handlers.ts";

export interface BanServiceParts {
  readonly handlers: Handlers;
  readonly bans: BanDesk;
  readonly fleet: Fleet;
  readonly now: () => Date;
}

const defaultWaitSeconds = 30;
const longestWaitSeconds = 600;

export function banService({
  handlers,
  bans,
  fleet,
  now,
}: BanServiceParts): Pick<ControlServiceServer, "banNode" | "unbanNode"> {
  const carried = async (outcome: BanOutcome, timeoutSeconds: number): Promise<BanNodeResponse> => {
    const words = new Map<string, NodeWord>();
    const seconds = Math.min(timeoutSeconds || defaultWaitSeconds, longestWaitSeconds);
    const { missing } = await watchApply({
      fleet,
      nodes: outcome.waited,
      timeoutMs: seconds * 1000,
      // whoever asked may go: what was begun is finished, and its end is in the status
      signal: new AbortController().signal,
      now,
      say: (word) => words.set(word.node, word),
    });
    const whyMissing = (node: string) =>
      words.get(node)?.detail ?? `not after ${seconds} s; it goes on trying`;
    return {
      done: [...outcome.done],
      nodes: [...words.values()],
      missing: [
        ...missing.map((node) => ({ node, why: whyMissing(node) })),
        ...outcome.away.map((node) => ({ node, why: "not connected: it is given it when it is back" })),
      ],
    };
  };
  const orderOf = ({ name, reason, claimedBy, addresses }: BanNodeRequest) => ({
    node: parseNodeName(name),
    addresses: addresses.map(parseAddress),
    reason,
    claimedBy,
  });
  return {
    banNode: handlers.unary("BanNode", async (request) =>
      carried(await bans.ban(orderOf(request)), request.timeoutSeconds),
    ),
    unbanNode: handlers.unary("UnbanNode", async (request) =>
      carried(await bans.unban(orderOf(request)), request.timeoutSeconds),
    ),
  };
}
