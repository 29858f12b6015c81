// In: who is to be a member of etcd, who is, and who answers. Out: one change, or what it waits for. Pure.
// One change a time: two at once could leave members that are no majority. A new one learns first and has no vote till
// it has caught up, so one that never starts takes nothing away.

export interface WantedMember {
  readonly node: string;
  /** Members are told by it: one that was added has no name until it starts. */
  readonly peerUrl: string;
}

export interface FoundMember {
  /** In hex. */
  readonly id: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export type MemberChange =
  | { readonly change: "add"; readonly node: string; readonly peerUrl: string }
  | { readonly change: "promote"; readonly node: string; readonly id: string }
  | { readonly change: "remove"; readonly peerUrl: string; readonly id: string }
  | { readonly change: "wait"; readonly node: string };

/** @param answers whether it answered just now, with a leader and without a fault. @returns undefined: as it should be */
export function planMembers(
  wanted: readonly WantedMember[],
  found: readonly FoundMember[],
  answers: (member: FoundMember) => boolean,
): MemberChange | undefined {
  const wishOf = ({ peerUrls }: FoundMember) => wanted.find(({ peerUrl }) => peerUrls.includes(peerUrl));
  const tooMany = found.filter((member) => wishOf(member) === undefined);
  const useless = tooMany.find((member) => member.isLearner || !answers(member));
  const staying = found.flatMap((member) => {
    const wish = wishOf(member);
    return wish === undefined ? [] : [{ member, wish }];
  });
  const silent = staying.find(({ member }) => !member.isLearner && !answers(member));
  if (silent !== undefined) return { change: "wait", node: silent.wish.node };
  if (useless !== undefined) return removed(useless);
  const learner = staying.find(({ member }) => member.isLearner);
  if (learner !== undefined) return { change: "promote", node: learner.wish.node, id: learner.member.id };
  const missing = wanted.find((wish) => !staying.some((each) => each.wish === wish));
  if (missing !== undefined) return { change: "add", ...missing };
  return tooMany[0] === undefined ? undefined : removed(tooMany[0]);
}

function removed({ id, peerUrls }: FoundMember): MemberChange {
  return { change: "remove", id, peerUrl: peerUrls.join(" ") };
}
