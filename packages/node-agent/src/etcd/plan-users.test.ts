import "../../../../test/support/property-seed.ts";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { EtcdGrant } from "./client-grants.ts";
import { type EtcdStep, planUsers, type UserReading, type UserWish } from "./plan-users.ts";

/** What etcd does with a step, or why it refuses. */
class FakeUsers {
  isEnabled: boolean;
  readonly users: Map<string, string[]>;
  readonly roles: Map<string, EtcdGrant[]>;

  constructor({ isEnabled, users, roles }: UserReading) {
    this.isEnabled = isEnabled;
    this.users = new Map([...users].map(([name, has]) => [name, [...has]]));
    this.roles = new Map([...roles].map(([name, grants]) => [name, [...grants]]));
  }

  do([noun = "", verb = "", name = "", ...rest]: EtcdStep): void {
    const [first = "", key = "", end = ""] = rest;
    const refuse = (why: string) => {
      throw new Error(`${noun} ${verb} ${name}: ${why}`);
    };
    switch (`${noun} ${verb}`) {
      case "auth enable":
        if (this.users.get("root")?.includes("root") !== true) refuse("root is no user");
        this.isEnabled = true;
        return;
      case "user add":
        if (this.users.has(name)) refuse("is there");
        this.users.set(name, []);
        return;
      case "user delete":
        if (!this.users.delete(name)) refuse("is not there");
        return;
      case "user grant-role":
        if (first !== "root" && !this.roles.has(first)) refuse("no such role");
        if (!this.users.has(name)) refuse("no such user");
        this.users.get(name)?.push(first);
        return;
      case "user revoke-role":
        if (this.users.get(name)?.includes(first) !== true) refuse("has no such role");
        this.users.set(
          name,
          (this.users.get(name) ?? []).filter((role) => role !== first),
        );
        return;
      case "role add":
        if (this.roles.has(name)) refuse("is there");
        this.roles.set(name, []);
        return;
      case "role delete":
        if (!this.roles.delete(name)) refuse("is not there");
        for (const [user, has] of this.users)
          this.users.set(
            user,
            has.filter((role) => role !== name),
          );
        return;
      case "role grant-permission": {
        const others = (this.roles.get(name) ?? []).filter((has) => has.key !== key || has.end !== end);
        this.roles.set(name, [...others, { permission: first as EtcdGrant["permission"], key, end }]);
        return;
      }
      case "role revoke-permission": {
        const others = (this.roles.get(name) ?? []).filter((has) => has.key !== first || has.end !== key);
        if (others.length === this.roles.get(name)?.length) refuse("has no such permission");
        this.roles.set(name, others);
        return;
      }
      default:
        refuse("is no command");
    }
  }
}

const names = fc.constantFrom("a", "b", "c", "d");
const grants = fc.uniqueArray(
  fc.record({
    permission: fc.constantFrom("read" as const, "write" as const, "readwrite" as const),
    key: fc.constantFrom("x", "y"),
    end: fc.constantFrom("", "z"),
  }),
  { selector: ({ key, end }) => `${key} ${end}` },
);
const rolesMap = fc.dictionary(names, grants).map((roles) => new Map(Object.entries(roles)));
const wishes: fc.Arbitrary<UserWish> = fc.record({
  admins: fc.constantFrom(["m"], ["m", "n"]),
  clients: rolesMap,
});
const readings: fc.Arbitrary<UserReading> = fc
  .record({
    isEnabled: fc.boolean(),
    roles: rolesMap,
    users: fc.dictionary(
      fc.constantFrom("root", "m", "n", "a", "b", "c"),
      fc.uniqueArray(fc.constantFrom("root", "a", "b", "c", "d")),
    ),
  })
  .map(({ isEnabled, roles, users }) => ({
    isEnabled,
    roles,
    users: new Map(
      Object.entries(users).map(([name, has]) => [
        name,
        has.filter((role) => role === "root" || roles.has(role)),
      ]),
    ),
  }));

describe("the way from users that are there to those that are wanted", () => {
  it("leads there, whatever is there, by steps that etcd takes, and there is none left", () => {
    fc.assert(
      fc.property(wishes, readings, (wish, found) => {
        const fake = new FakeUsers(found);
        for (const step of planUsers(wish, found)) {
          fake.do(step);
          // whoever does this stays able to do it
          if (fake.isEnabled && !found.isEnabled) expect(fake.users.get("m")).toContain("root");
        }
        expect(fake.isEnabled).toBe(true);
        expect(new Set(fake.users.keys())).toEqual(new Set(["root", ...wish.admins, ...wish.clients.keys()]));
        for (const admin of ["root", ...wish.admins]) expect(fake.users.get(admin)).toEqual(["root"]);
        for (const [name, has] of wish.clients) {
          expect(fake.users.get(name)).toEqual([name]);
          expect(new Set(fake.roles.get(name))).toEqual(new Set(has));
        }
        expect(planUsers(wish, fake)).toEqual([]);
      }),
    );
  });

  it("takes what is too much before anybody is let in, and gives nothing before", () => {
    const wish: UserWish = {
      admins: ["m"],
      clients: new Map([["a", [{ permission: "read", key: "x", end: "" }]]]),
    };
    const found: UserReading = {
      isEnabled: false,
      users: new Map([["old", ["root"]]]),
      roles: new Map([["old", []]]),
    };
    expect(planUsers(wish, found).map((step) => step.join(" "))).toEqual([
      "user add root --no-password",
      "user grant-role root root",
      "user add m --no-password",
      "user grant-role m root",
      "user delete old",
      "role delete old",
      "auth enable",
      "role add a",
      "role grant-permission a read x",
      "user add a --no-password",
      "user grant-role a a",
    ]);
  });
});
