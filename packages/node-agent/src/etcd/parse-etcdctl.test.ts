// What etcdctl 3.6.16 printed, and what it must not be mistaken for.
import { describe, expect, it } from "@jest/globals";
import {
  parseAlarms,
  parseAuthStatus,
  parseGrants,
  parseKeys,
  parseLease,
  parseMembers,
  parseStatuses,
  parseTransaction,
} from "./parse-etcdctl.ts";

const header = `"header":{"cluster_id":14841639068965178418,"member_id":10276657743932975437,"revision":3,"raft_term":2}`;
const of = (rest: string) => `{${header}${rest}}`;
const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("what etcdctl prints", () => {
  it("members, whose numbers have 64 bits", () => {
    expect(
      parseMembers(
        "8e9e05c52164694d, started, hub, https://hub:2380,https://old:2380, https://hub:2379, false\n" +
          "cdf818194e3a8c32, unstarted, , https://api1:2380, , true\n",
      ),
    ).toEqual([
      {
        id: "8e9e05c52164694d",
        peerUrls: ["https://hub:2380", "https://old:2380"],
        clientUrls: ["https://hub:2379"],
        isLearner: false,
      },
      { id: "cdf818194e3a8c32", peerUrls: ["https://api1:2380"], clientUrls: [], isLearner: true },
    ]);
    expect(() => parseMembers("something else")).toThrow(/not understood/);
  });

  it("alarms of members, by the same numbers", () => {
    expect(parseAlarms("memberID:10276657743932975437 alarm:NOSPACE \n")).toEqual([
      { member: "8e9e05c52164694d", kind: "NOSPACE" },
    ]);
    expect(parseAlarms("")).toEqual([]);
  });

  it("statuses; what is 0 or empty is left out", () => {
    const status = `{${header},"version":"3.6.16","dbSize":20480,"leader":10276657743932975437,"dbSizeQuota":2147483648}`;
    const lost = `{${header},"dbSize":20480,"errors":["etcdserver: no leader"],"isLearner":true}`;
    expect(
      parseStatuses(
        `[{"Endpoint":"https://a","Status":${status}},{"Endpoint":"https://b","Status":${lost}}]`,
      ),
    ).toEqual([
      {
        endpoint: "https://a",
        isLearner: false,
        hasLeader: true,
        isLeader: true,
        revision: 3,
        size: 20480,
        quota: 2147483648,
        errors: [],
      },
      {
        endpoint: "https://b",
        isLearner: true,
        hasLeader: false,
        isLeader: false,
        revision: 3,
        size: 20480,
        quota: 0,
        errors: ["etcdserver: no leader"],
      },
    ]);
    expect(parseStatuses("")).toEqual([]);
    expect(() => parseStatuses(`[{"Endpoint":"https://a"}]`)).toThrow(/not understood/);
  });

  it("a lease, authentication, keys, permissions, transactions", () => {
    expect(parseLease("lease 694da22c4e45650c granted with TTL(180s)\n")).toBe("694da22c4e45650c");
    expect(() => parseLease("")).toThrow(/not understood/);
    expect(parseAuthStatus(of(`,"authRevision":1`))).toEqual({ isEnabled: false, revision: 1 });
    expect(parseAuthStatus(of(`,"enabled":true,"authRevision":8`))).toEqual({ isEnabled: true, revision: 8 });
    expect(parseKeys(of(""))).toEqual([]);
    const row = `{"key":"${base64("cilium/ü")}","create_revision":2,"mod_revision":5,"value":"${base64("v")}"}`;
    expect(parseKeys(of(`,"kvs":[${row}],"count":1`))).toEqual([
      { key: "cilium/ü", value: "v", createRevision: 2, modRevision: 5 },
    ]);
    const perms = `[{"permType":1,"key":"${base64("a")}"},{"key":"${base64("b/")}","range_end":"${base64("b0")}"}]`;
    expect(parseGrants(of(`,"perm":${perms}`))).toEqual([
      { permission: "write", key: "a", end: "" },
      { permission: "read", key: "b/", end: "b0" },
    ]);
    expect(() => parseGrants(of(`,"perm":[{"permType":7,"key":"YQ=="}]`))).toThrow(/not understood/);
    expect(parseTransaction(of(`,"succeeded":true`))).toBe(3);
    expect(parseTransaction(of(""))).toBeUndefined();
    expect(() => parseTransaction("{")).toThrow(/not understood/);
  });
});
