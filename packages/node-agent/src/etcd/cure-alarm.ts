// In: the alarms of etcd, and this node's member. Out: its own lack of room cured where that is possible, and what is left
// to a person. Each member sees to itself: a full one takes no write, so nobody could become the leader for it.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Finding } from "../conditions.ts";
import type { Log } from "../log.ts";
import type { Etcdctl } from "./etcdctl.ts";
import type { EtcdStatus } from "./parse-etcdctl.ts";
import type { FoundMember } from "./plan-members.ts";

/** Above it the next writes would raise the alarm again. */
const roomyShare = 0.8;

export async function cureAlarms(
  etcd: Etcdctl,
  log: Log,
  own: { readonly id: string; readonly status: EtcdStatus },
  signal: AbortSignal,
): Promise<Finding[]> {
  const alarms = await etcd.alarms(signal);
  const others = alarms.filter(({ member, kind }) => kind !== "NOSPACE" || member !== own.id);
  const findings = others.map(({ member, kind }) => alarm(`${kind} of member ${member}`));
  if (others.length === alarms.length) return findings;
  await compact(etcd, own.status.revision, signal);
  await etcd.doSlowly(["defrag"], signal);
  const [after] = await etcd.statuses(signal);
  const { size = 0, quota = 0 } = after ?? {};
  if (size >= quota * roomyShare)
    return [...findings, alarm(`NOSPACE: ${size} bytes of ${quota} are in use, and none can be freed`)];
  // it ends all alarms, and one of damage has to stand
  if (alarms.some(({ kind }) => kind !== "NOSPACE"))
    return [...findings, alarm("NOSPACE: there is room again, and it stands because another alarm does")];
  await etcd.do(["alarm", "disarm"], signal);
  log.warn(`etcd: its quota was used up; compacted and defragmented to ${size} bytes`);
  return findings;
}

/** Of the member's own row in the list of all. */
export function memberOf(members: readonly FoundMember[], peerUrl: string): FoundMember | undefined {
  return members.find(({ peerUrls }) => peerUrls.includes(peerUrl));
}

async function compact(etcd: Etcdctl, revision: number, signal: AbortSignal): Promise<void> {
  try {
    await etcd.doSlowly(["compact", String(revision)], signal);
  } catch (failure) {
    // another member was first
    if (!isWeftError(failure) || failure.why?.includes("has been compacted") !== true) throw failure;
  }
}

function alarm(detail: string): Finding {
  return { code: "ETCD_ALARM", detail };
}
