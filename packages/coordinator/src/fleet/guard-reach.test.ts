import { beforeEach, describe, expect, it } from "@jest/globals";
import type { DesiredState } from "@weft/shared/model/desired";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { reportOf } from "../../../../test/support/report.ts";
import { Fleet } from "./fleet.ts";
import { GuardReach } from "./guard-reach.ts";

const at = new Date("2026-03-01T10:00:00Z");
const tcp = (from: number, to = from) => ({ protocol: "tcp", from, to }) as const;
let fleet: Fleet;
let open: Set<number>;
let dialled: string[];
let state: DesiredState;
let reach: GuardReach;

function give(generation: number, ports: DesiredState["policy"]["guard"]["ports"]): void {
  const content = emptyContent("web1");
  const guard = { ...content.policy.guard, ports };
  state = {
    ...sealed({ ...content, policy: { ...content.policy, guard } }),
    generation,
    revision: generation,
  };
  fleet.note("web1", { kind: "wanted", wanted: { generation, digest: state.digest, revision: generation } });
}
const say = (phase: "enforced" | "applying" | "reverted") =>
  fleet.note("web1", { kind: "report", at, report: reportOf({ phase, generation: state.generation }) });

beforeEach(() => {
  fleet = new Fleet();
  open = new Set([22]);
  dialled = [];
  const dial = async (address: string, port: number) => {
    dialled.push(`${address}:${port}`);
    return open.has(port);
  };
  reach = new GuardReach({ fleet, desired: (node) => (node === "web1" ? state : undefined), dial });
  fleet.note("web1", { kind: "enrolment", state: "enrolled", at });
  fleet.note("web1", { kind: "connected", at, agentVersion: "1" });
});

describe("GuardReach", () => {
  it("knows what was reached before a change was sent, of ports that are new in it, too", async () => {
    give(1, [tcp(22)]);
    say("enforced");
    give(2, [tcp(22), tcp(2222)]);
    open = new Set();
    expect(await reach.probe("web1", [tcp(22), tcp(2222)])).toEqual([
      { port: 22, before: "open", open: false },
      { port: 2222, before: "closed", open: false },
    ]);
  });

  it("still asks for a port that the change guards no more", async () => {
    give(1, [tcp(22)]);
    say("enforced");
    await reach.probe("web1", []);
    give(2, []);
    open = new Set();
    expect(await reach.probe("web1", [tcp(22)])).toEqual([{ port: 22, before: "open", open: false }]);
  });

  it("does not take for before what it finds while the node works on something", async () => {
    give(1, [tcp(22)]);
    say("enforced");
    say("applying");
    open = new Set();
    give(2, [tcp(22)]);
    expect(await reach.probe("web1", [tcp(22)])).toEqual([{ port: 22, before: "open", open: false }]);
  });

  it("does not learn from a node that went back that the port was closed before", async () => {
    give(1, [tcp(22)]);
    say("enforced");
    await reach.probe("web1", []);
    give(2, [tcp(22)]);
    open = new Set();
    say("reverted");
    give(3, [tcp(22)]);
    expect(await reach.probe("web1", [tcp(22)])).toEqual([{ port: 22, before: "open", open: false }]);
  });

  it("does not look when the node is given again what it may have armed already", async () => {
    give(1, [tcp(22)]);
    say("enforced");
    await reach.probe("web1", []);
    give(2, [tcp(22)]);
    open = new Set();
    const wanted = { generation: 2, digest: state.digest, revision: 2 };
    fleet.note("web1", { kind: "wanted", wanted, underWay: true });
    expect(await reach.probe("web1", [tcp(22)])).toEqual([{ port: 22, before: "open", open: false }]);
  });

  it("says what it does not know, and dials nobody but the asking node, and few of its ports", async () => {
    give(1, []);
    expect(await reach.probe("web1", [tcp(22)])).toEqual([{ port: 22, before: "unknown", open: true }]);
    expect(await reach.probe("stranger", [tcp(22)])).toEqual([]);
    dialled = [];
    await reach.probe("web1", [tcp(1, 65_535), { protocol: "udp", from: 53, to: 53 }]);
    expect(dialled).toHaveLength(32);
    expect(dialled.every((target) => target.startsWith("10.77.0.11:"))).toBe(true);
  });
});
