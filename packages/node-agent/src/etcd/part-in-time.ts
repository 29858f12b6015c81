// In: the members that a state wants, whose rules are not in force yet, and this node's member. Out: those that it wants no more taken
// out of the cluster while the rules of before still let all of them talk to each other.
//
// With the new rules nobody hears a member that is none any more. Two of three that were cut off first could neither leave nor be
// removed, and the one that stays would never again be a majority.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { DesiredEtcdCluster } from "@weft/shared/model/desired-etcd";
import { etcdPlaces } from "@weft/shared/render/etcd-places";
import { peerUrlOf } from "@weft/shared/render/etcd-settings";
import type { Host } from "../host/host.ts";
import { readKeptSettings } from "./kept-settings.ts";
import { type ListedMember, listMembers, ownUrl, removeMember } from "./member-list.ts";

/** Rules do not wait longer than that for the next removal. */
const mostMs = 10_000;

/**
 * What does not work is not said here: whoever goes, and whoever leads, tries it again after the rules, and says it.
 * @param cluster undefined: this node is told of none any more, and looks after itself alone
 */
export async function partInTime(
  { exec, files, clock }: Host,
  cluster: Pick<DesiredEtcdCluster, "members"> | undefined,
  signal: AbortSignal,
): Promise<void> {
  const deadline = clock.now().getTime() + mostMs;
  await tried(signal, async () => {
    const settings = await files.readText(etcdPlaces.settings);
    if (settings === undefined) return;
    const { ownPeerUrl } = readKeptSettings(settings);
    const isOwn = ({ peerUrls }: ListedMember) => peerUrls.includes(ownPeerUrl);
    const wanted = cluster?.members.map(({ name }) => peerUrlOf(name));
    const isGoing = (member: ListedMember) =>
      wanted === undefined ? isOwn(member) : !member.peerUrls.some((url) => wanted.includes(url));
    const members = await listMembers(exec, ownUrl, signal);
    const urls = members.filter((member) => !isGoing(member)).flatMap(({ clientUrls }) => clientUrls);
    if (urls.length === 0) return;
    const going = members.filter(isGoing);
    // itself last: it ends with that
    for (const { id } of [...going.filter((each) => !isOwn(each)), ...going.filter(isOwn)]) {
      if (signal.aborted || clock.now().getTime() > deadline) return;
      await tried(signal, () => removeMember(exec, id, urls));
    }
  });
}

/** etcd itself refuses what would leave no majority; and another may have been first. */
async function tried(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (failure) {
    if (!signal.aborted && !isWeftError(failure)) throw failure;
  }
}
