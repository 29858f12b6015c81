// In: the users that stand for services on this node. Out: their numeric uids, and a condition for each that cannot
// stand for one service: missing, root, dynamic or shared. The kernel knows numbers only.
import type { ConditionCode } from "@weft/shared/model/condition";
import { coordinatorUser, type DesiredContent } from "@weft/shared/model/desired";
import type { Host } from "../host/host.ts";

export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
}

export interface ResolvedUsers {
  readonly uids: ReadonlyMap<string, number>;
  readonly conditions: readonly { readonly code: ConditionCode; readonly detail: string }[];
}

/** systemd gives uids of this range to units with DynamicUser=: another service's tomorrow. */
const dynamicUids = { first: 61184, last: 65519 } as const;

export function parsePasswd(text: string): PasswdEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name, , uid] = line.split(":");
    return name === undefined || uid === undefined || !/^\d+$/.test(uid) ? [] : [{ name, uid: Number(uid) }];
  });
}

/** Users named for this node: those of its services, and those its outgoing rules speak of. */
export function usersOf({ policy, identity }: DesiredContent): string[] {
  const names = [...policy.services, ...policy.egress, ...identity.workloads]
    .map((item) => item.user)
    .filter((name) => name !== "");
  return [...new Set(names)].sort((a, b) => (a < b ? -1 : 1));
}

/** Pure: @param found what the name service says of each, @param everybody of the machine's own file */
export function judgeUsers(
  names: readonly string[],
  found: readonly PasswdEntry[],
  everybody: readonly PasswdEntry[],
): ResolvedUsers {
  const uids = new Map<string, number>();
  const conditions: { code: ConditionCode; detail: string }[] = [];
  for (const name of names) {
    const uid = found.find((entry) => entry.name === name)?.uid;
    if (uid === undefined) {
      conditions.push({ code: "USER_MISSING", detail: `there is no user ${name}` });
      continue;
    }
    const others = everybody
      .filter((entry) => entry.uid === uid && entry.name !== name)
      .map((entry) => entry.name);
    const unsafe =
      uid === 0
        ? "is root"
        : uid >= dynamicUids.first && uid <= dynamicUids.last
          ? `has the uid ${uid}, which systemd gives to any unit`
          : others.length > 0
            ? `shares its uid ${uid} with ${others.join(", ")}`
            : undefined;
    if (unsafe === undefined) uids.set(name, uid);
    else conditions.push({ code: "USER_UNSAFE", detail: `user ${name} ${unsafe}` });
  }
  return { uids, conditions };
}

/** All that resolveUsers looks up. */
export function namesOf(desired: DesiredContent): string[] {
  return desired.policy.guard.isCoordinator ? [...usersOf(desired), coordinatorUser] : usersOf(desired);
}

/** The coordinator's user stands for no service: nothing is wrong when it is missing. */
export async function resolveUsers(host: Host, desired: DesiredContent): Promise<ResolvedUsers> {
  const services = usersOf(desired);
  const names = namesOf(desired);
  if (names.length === 0) return { uids: new Map(), conditions: [] };
  // Exit 2: one or more of them do not exist; those that do are printed all the same.
  const { stdout } = await host.exec.run("getent", ["passwd", "--", ...names], { allow: [0, 2] });
  const everybody = parsePasswd((await host.files.readText("/etc/passwd")) ?? "");
  const found = parsePasswd(stdout);
  const { uids, conditions } = judgeUsers(services, found, everybody);
  const prober = judgeUsers(names.slice(services.length), found, everybody).uids;
  return { uids: new Map([...uids, ...prober]), conditions };
}
