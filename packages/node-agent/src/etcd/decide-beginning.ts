// In: a member without data, the members there are to be, and what the others answer about their cluster. Out: how it begins, or
// what it waits for. Pure.
//
// INVARIANTS
// - One member alone makes the cluster, the first that the mesh file names; all others are added to it by a member that runs, one
//   by one. Not the first by name: one that is added later could be that, and while the rules of the others do not let it in yet
//   nobody would answer it.
// - Whoever was a member and has no data any more does not come back under its old number: the others would count on a log
//   that is gone.
import type { DesiredEtcdCluster, EtcdMember } from "@weft/shared/model/desired-etcd";
import { type EtcdBeginning, peerUrlOf } from "@weft/shared/render/etcd-settings";
import type { ListedMember } from "./member-list.ts";

/** One of both. */
export interface Decided {
  readonly beginning?: EtcdBeginning;
  readonly wait?: string;
}

/** As long as somebody who is only restarting needs to answer again. */
export const silentForMs = 30_000;

/**
 * @param answer of the first other member that gave one; undefined: none did
 * @param silentMs for how long none has; undefined: this node was a member before, and none answers now
 */
export function decideBeginning(
  own: EtcdMember,
  { members }: Pick<DesiredEtcdCluster, "members">,
  answer: readonly ListedMember[] | undefined,
  silentMs: number | undefined,
): Decided {
  const ownUrl = peerUrlOf(own.name);
  if (answer !== undefined) return joined(ownUrl, answer);
  const first = members[0]?.node;
  if (first !== own.node) return { wait: `it waits for ${first}, which begins the cluster, and adds it` };
  const alone = { members: [{ name: own.name, peerUrl: ownUrl }], isNew: true };
  if (members.length === 1) return { beginning: alone };
  if (silentMs === undefined)
    return {
      wait: "it was a member before, so others may be there, and none answers; named alone it would begin anew",
    };
  if (silentMs >= silentForMs) return { beginning: alone };
  return { wait: "it makes a cluster if no other member answers within 30 s" };
}

function joined(ownUrl: string, answer: readonly ListedMember[]): Decided {
  const own = answer.find(({ peerUrls }) => peerUrls.includes(ownUrl));
  if (own === undefined) return { wait: "it waits for a member that runs to add it to the cluster" };
  if (own.hasBegun)
    return {
      wait: "it was a member before, and its data is lost: take this node out of cilium.etcd.nodes, apply, and put it back",
    };
  const members = answer.flatMap(({ peerUrls }) =>
    peerUrls.map((peerUrl) => ({ name: new URL(peerUrl).hostname, peerUrl })),
  );
  return { beginning: { members, isNew: false } };
}
