// In: who is to be a user of etcd, and who is. Out: the steps from one to the other, as arguments of etcdctl. Pure.
// Members come first, or whoever enables authentication locks itself out; what is too much goes before anything is given.
import type { EtcdGrant } from "./client-grants.ts";

export interface UserWish {
  /** Users that may do everything. */
  readonly admins: readonly string[];
  /** Each has a role of its own name. */
  readonly clients: ReadonlyMap<string, readonly EtcdGrant[]>;
}

export interface UserReading {
  readonly isEnabled: boolean;
  /** Name -> roles. */
  readonly users: ReadonlyMap<string, readonly string[]>;
  readonly roles: ReadonlyMap<string, readonly EtcdGrant[]>;
}

export type EtcdStep = readonly string[];

/** Built in: whoever has it may do everything. A user of that name has to be there, and is nobody: it has no password. */
export const rootName = "root";

export function planUsers(wish: UserWish, found: UserReading): EtcdStep[] {
  const admins = [...new Set([rootName, ...wish.admins])];
  return [
    ...admins.flatMap((name) => [...userAdded(found, name), ...roleGiven(found, name, rootName)]),
    ...tooMuch(admins, wish.clients, found),
    ...(found.isEnabled ? [] : [["auth", "enable"]]),
    ...[...wish.clients].flatMap(([name, grants]) => [
      ...(found.roles.has(name) ? [] : [["role", "add", name]]),
      ...grants
        .filter((grant) => !(found.roles.get(name) ?? []).some((has) => isSame(has, grant)))
        .map(({ permission, key, end }) => [
          ...["role", "grant-permission", name, permission, key],
          ...endOf(end),
        ]),
      ...userAdded(found, name),
      ...roleGiven(found, name, name),
    ]),
  ];
}

function tooMuch(
  admins: readonly string[],
  clients: UserWish["clients"],
  { users, roles }: UserReading,
): EtcdStep[] {
  const roleOf = (user: string) => (admins.includes(user) ? rootName : user);
  const isWanted = (user: string) => admins.includes(user) || clients.has(user);
  return [
    ...[...users.keys()].filter((user) => !isWanted(user)).map((user) => ["user", "delete", user]),
    ...[...users]
      .filter(([user]) => isWanted(user))
      .flatMap(([user, has]) =>
        has.filter((role) => role !== roleOf(user)).map((role) => ["user", "revoke-role", user, role]),
      ),
    // whoever still had it would lose it with it
    ...[...roles.keys()]
      .filter((role) => role !== rootName && !clients.has(role))
      .map((role) => ["role", "delete", role]),
    ...[...clients].flatMap(([role, grants]) =>
      (roles.get(role) ?? [])
        // one that is wanted with another permission is changed by granting it
        .filter((has) => !grants.some(({ key, end }) => key === has.key && end === has.end))
        .map(({ key, end }) => ["role", "revoke-permission", role, key, ...endOf(end)]),
    ),
  ];
}

function userAdded({ users }: UserReading, name: string): EtcdStep[] {
  return users.has(name) ? [] : [["user", "add", name, "--no-password"]];
}

function roleGiven({ users }: UserReading, user: string, role: string): EtcdStep[] {
  return users.get(user)?.includes(role) === true ? [] : [["user", "grant-role", user, role]];
}

function endOf(end: string): string[] {
  return end === "" ? [] : [end];
}

function isSame(a: EtcdGrant, b: EtcdGrant): boolean {
  return a.permission === b.permission && a.key === b.key && a.end === b.end;
}
