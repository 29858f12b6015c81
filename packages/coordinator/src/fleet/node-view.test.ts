import { describe, expect, it } from "@jest/globals";
import { factsOf, reportOf } from "../../../../test/support/report.ts";
import { Fleet } from "./fleet.ts";
import {
  foldNode,
  type NodeEvent,
  type NodeView,
  stateOf,
  statusOf,
  unknownNode,
  verdictOf,
} from "./node-view.ts";

const start = new Date("2026-03-01T10:00:00Z");
const at = (seconds: number) => new Date(start.getTime() + seconds * 1000);
const wanted = { generation: 3, digest: "new", revision: 7, enforcement: "nftables" as const };
const after = (...events: NodeEvent[]): NodeView => events.reduce(foldNode, unknownNode("web1"));

const named: NodeEvent = { kind: "named", address: "10.0.0.1" };
const joined: NodeEvent = { kind: "enrolment", state: "joining", at: start };
const enrolled: NodeEvent = { kind: "enrolment", state: "enrolled", at: start };
const connected: NodeEvent = { kind: "connected", at: start, agentVersion: "0.1.0" };
const want: NodeEvent = { kind: "wanted", wanted };
const report = (change: Parameters<typeof reportOf>[0]): NodeEvent => ({
  kind: "report",
  at: start,
  report: reportOf(change),
});
const carries = report({
  generation: 3,
  phase: "enforced",
  digest: "new",
  enforcedDigest: "new",
  enforcedRevision: 7,
});

describe("a node's state", () => {
  it.each([
    ["Absent when it never joined", [named], 0, "Absent"],
    ["Absent when it left", [named, joined, { kind: "enrolment", state: "left", at: start }], 0, "Absent"],
    ["Joining before its first confirmed state", [named, joined, connected], 0, "Joining"],
    ["Lost when it stops in the middle of joining", [named, joined, connected], 61, "Lost"],
    ["Online when heard of", [named, joined, enrolled, connected], 15, "Online"],
    ["Late after 15 s", [named, joined, enrolled, connected], 15.001, "Late"],
    ["still Late at 60 s", [named, joined, enrolled, connected], 60, "Late"],
    ["Lost after 60 s", [named, joined, enrolled, connected], 60.001, "Lost"],
    [
      "Online again when it speaks",
      [named, joined, enrolled, connected, { kind: "seen", at: at(61) }],
      62,
      "Online",
    ],
    ["Banned when banned", [named, joined, { kind: "enrolment", state: "banned", at: start }], 0, "Banned"],
    [
      "Suspended when suspended",
      [named, joined, { kind: "enrolment", state: "suspended", at: start }],
      0,
      "Suspended",
    ],
  ] as [string, NodeEvent[], number, string][])("is %s", (_what, events, seconds, state) => {
    expect(stateOf(after(...events), at(seconds))).toBe(state);
  });
});

describe("the verdict", () => {
  const base = [named, joined, enrolled, connected, want];
  it.each([
    ["APPLYING until the node has said anything", base, "APPLYING"],
    ["ENFORCED when the kernel carries the newest digest", [...base, carries], "ENFORCED"],
    [
      "APPLYING when a newer state was compiled",
      [
        ...base,
        carries,
        { kind: "wanted", wanted: { generation: 4, digest: "newer", revision: 8, enforcement: "nftables" } },
      ],
      "APPLYING",
    ],
    [
      "APPLYING while the node works on it",
      [...base, report({ phase: "applying", digest: "new" })],
      "APPLYING",
    ],
    [
      "REVERTED when the newest failed",
      [...base, report({ generation: 3, phase: "failed", digest: "new", enforcedDigest: "old" })],
      "REVERTED",
    ],
    [
      "REVERTED when the newest was taken back",
      [...base, report({ generation: 3, phase: "reverted", digest: "new", enforcedDigest: "old" })],
      "REVERTED",
    ],
    [
      "APPLYING when the same was given anew after it was taken back",
      [...base, report({ generation: 2, phase: "reverted", digest: "new", enforcedDigest: "old" })],
      "APPLYING",
    ],
    ["APPLYING when an older one failed", [...base, report({ phase: "failed", digest: "old" })], "APPLYING"],
    [
      "DRIFTED when the kernel has something else",
      [
        ...base,
        report({
          phase: "enforced",
          enforcedDigest: "new",
          conditions: [{ code: "POLICY_DRIFTED", detail: "", since: start }],
        }),
      ],
      "DRIFTED",
    ],
    ["STALE when it has an older one and is away", [...base, { kind: "disconnected" }], "STALE"],
    [
      "ENFORCED by its last word while not yet Lost",
      [...base, carries, { kind: "disconnected" }],
      "ENFORCED",
    ],
    [
      "APPLYING when the same rules were told of an older generation: others may have come in between",
      [...base, carries, { kind: "wanted", wanted: { ...wanted, generation: 5 } }],
      "APPLYING",
    ],
  ] as [string, NodeEvent[], string][])("is %s", (_what, events, verdict) => {
    expect(verdictOf(after(...events), at(1))).toBe(verdict);
  });

  it("is STALE for a Lost node: its last word is old", () => {
    expect(verdictOf(after(...base, carries), at(61))).toBe("STALE");
  });

  it("goes by digest: an older revision with the same rules is as good", () => {
    const same = report({ generation: 3, phase: "enforced", enforcedDigest: "new", enforcedRevision: 2 });
    expect(statusOf(after(...base, same), at(1))).toMatchObject({
      verdict: "ENFORCED",
      wantedRevision: 7,
      enforcedRevision: 7,
    });
  });

  it("forgets what the former machine said when a new one joins under the name", () => {
    const again = after(...base, carries, { kind: "enrolment", state: "left", at: start }, joined, connected);
    expect(again.report).toBeUndefined();
    expect(verdictOf(again, at(1))).toBe("APPLYING");
  });
});

describe("the fleet", () => {
  it("tells its listeners, until they stop listening", () => {
    const fleet = new Fleet();
    const heard: string[] = [];
    const stop = fleet.listen((node, event) => heard.push(`${node} ${event.kind}`));
    fleet.note("web1", named);
    fleet.note("api1", joined);
    stop();
    fleet.note("web1", connected);
    expect(heard).toEqual(["web1 named", "api1 enrolment"]);
    expect(fleet.views().map((view) => view.name)).toEqual(["api1", "web1"]);
    expect(fleet.view("web1").connected).toBe(true);
  });
});

describe("a node that could run Cilium", () => {
  it("stays with nftables, and says so", () => {
    const facts = factsOf({ ciliumVerdicts: [{ version: "1.18.x", can: true, because: [] }] });
    const view = after(named, joined, enrolled, connected, want, carries, {
      kind: "facts",
      at: start,
      facts,
    });
    expect(statusOf(view, at(1))).toMatchObject({ enforcement: "nftables", verdict: "ENFORCED", facts });
  });

  it("is called by what it was last given", () => {
    const given: NodeEvent = { kind: "wanted", wanted: { ...wanted, enforcement: "cilium" } };
    const { enforcement } = statusOf(after(named, joined, enrolled, connected, want, given), at(1));
    expect(enforcement).toBe("cilium");
    expect(statusOf(after(named), at(1)).enforcement).toBe("nftables");
  });
});
