// Over what an agent goes from look to look, and what it reports.
// over 300 lines: one agent and fakes of all its sections
// An agent whose sections do what a test says.
// over 300 lines: one agent with its sections, set up once, serves all cases.
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import { noFloor } from "@weft/shared/model/floor";
import type { NodeReport } from "@weft/shared/model/report";
import { emptyContent, sealed } from "../../../test/support/desired.ts";
import { FakeHost } from "../../../test/support/fake-host.ts";
import { Agent } from "./agent.ts";
import type { Admission } from "./floor/floor-gate.ts";
import type { CiliumSection } from "./sections/cilium-section.ts";
import type { Cuts } from "./sections/cuts.ts";
import type { DnsSection } from "./sections/dns-section.ts";
import type { EtcdSection } from "./sections/etcd-section.ts";
import type { IdentitySection } from "./sections/identity-section.ts";
import type { Enforced, PolicySection } from "./sections/policy-section.ts";
import type { SectionResult } from "./sections/section.ts";

const idle = async () => undefined;
const nothing: SectionResult = { end: "nothing", steps: [], findings: [] };
const state = (generation: number): DesiredState => ({
  ...sealed({ ...emptyContent("web1"), mesh: `mesh${generation}` }),
  generation,
  revision: generation,
});

let host: FakeHost;
let stop: AbortController;
let running: Promise<void>;
let reports: NodeReport[];
let kept: number[];
let looked: string[];
/** What the endpoints of Cilium were seen to carry. */
let cilium: {
  realised: CiliumSection["realised"];
  wasHere: boolean;
  reconcile: () => Promise<SectionResult>;
};
/** What the kernel carries. */
let enforced: Enforced | undefined;
let policyWork: (desired: DesiredState) => Promise<SectionResult>;
let etcdWork: (desired: DesiredState) => Promise<SectionResult>;
let identityWork: (desired: DesiredState, signal: AbortSignal) => Promise<SectionResult>;
let admit: (desired: DesiredState) => Admission;
let keep: (state: DesiredState) => Promise<void>;
let agent: Agent;
const last = () => reports.at(-1);

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

beforeEach(() => {
  host = new FakeHost();
  stop = new AbortController();
  reports = [];
  kept = [];
  looked = [];
  enforced = undefined;
  cilium = { realised: undefined, wasHere: false, reconcile: async () => nothing };
  policyWork = async ({ revision, digest }) => {
    if (enforced?.digest !== digest) enforced = { revision, digest, at: host.clock.now() };
    return nothing;
  };
  etcdWork = async () => nothing;
  identityWork = async () => nothing;
  admit = (desired) => ({ policy: desired, rest: desired, findings: [], report: noFloor });
  keep = async ({ generation }) => void kept.push(generation);
  const policy = {
    get enforced() {
      return enforced;
    },
    hasPending: async () => false,
    takeCutDue: () => undefined,
    hold: async () => {
      looked.push("hold");
      return nothing;
    },
    reconcile: (desired: DesiredState) => {
      looked.push(`policy ${desired.generation}`);
      return policyWork(desired);
    },
  } as unknown as PolicySection;
  const dns = {
    report: { mode: "off", state: "off", detail: "" },
    reconcile: async () => nothing,
  } as unknown as DnsSection;
  const identity = {
    state: { healthy: true, svidExpires: undefined },
    reconcile: (desired: DesiredState, signal: AbortSignal) => {
      looked.push(`identity ${desired.generation}`);
      return identityWork(desired, signal);
    },
  } as IdentitySection;
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  agent = new Agent({
    host,
    log,
    node: "web1",
    floor: { admit: async (desired) => admit(desired) },
    policy,
    cuts: { ofMachine: idle, ofEndpoints: idle, report: () => undefined } as unknown as Cuts,
    etcd: {
      reconcile: (desired: DesiredState) => etcdWork(desired),
      beforeRules: async ({ generation }: DesiredState) => void looked.push(`etcd before ${generation}`),
    } as unknown as EtcdSection,
    cilium: cilium as unknown as CiliumSection,
    dns,
    identity,
    keepDesired: (desired) => keep(desired),
    nodeSvidExpires: () => undefined,
    publish: async (report) => void reports.push(report),
  });
  running = agent.run(stop.signal);
});

afterEach(async () => {
  stop.abort();
  await running;
  host.dispose();
});

describe("Agent", () => {
  it("keeps a state on disk, then brings it about, and says who testifies", async () => {
    agent.submit(state(1));
    await until("a report", () => last()?.phase === "enforced");
    expect(kept).toEqual([1]);
    expect(last()).toMatchObject({ generation: 1, enforcedRevision: 1, witness: "kernel of web1" });
    expect(agent.held).toMatchObject({ generation: 1 });
  });

  it("has nothing reach a section that its floor refuses, and reports what was refused", async () => {
    const refusal = { line: 2, policy: "ops", file: "mesh.yaml", ruleLine: 12, what: "from 0.0.0.0/0" };
    admit = (desired) => ({
      policy: { ...desired, mesh: "less" },
      rest: undefined,
      findings: [{ code: "FLOOR_REFUSED", detail: "something" }],
      report: { state: "in-force", refusals: [refusal], leftOut: 0 },
    });
    const given: string[] = [];
    policyWork = async ({ mesh, revision, digest }) => {
      given.push(mesh);
      enforced = { revision, digest, at: host.clock.now() };
      return nothing;
    };
    agent.submit(state(1));
    await until("a report", () => last()?.phase === "enforced");
    expect(given).toEqual(["less"]);
    expect(looked).toEqual(["policy 1"]);
    expect(last()?.conditions).toMatchObject([{ code: "FLOOR_REFUSED" }]);
    expect(last()?.floor?.refusals).toEqual([refusal]);
  });

  it("takes nothing new past a broken floor, and never says it was enforced", async () => {
    agent.submit(state(1));
    await until("a report", () => last()?.phase === "enforced");
    admit = () => ({
      policy: undefined,
      rest: undefined,
      findings: [{ code: "FLOOR_BROKEN", detail: "line 2" }],
      report: { state: "broken", refusals: [], leftOut: 0 },
    });
    looked = [];
    agent.submit(state(2));
    await until("a report", () => last()?.generation === 2 && last()?.phase === "reverted");
    expect(looked).toEqual(["hold"]);
    expect(last()).toMatchObject({ enforcedRevision: 1, conditions: [{ code: "FLOOR_BROKEN" }] });
  });

  it("never says enforced of what the kernel does not carry", async () => {
    policyWork = async () => ({ ...nothing, findings: [{ code: "POLICY_REFUSED", detail: "no" }] });
    agent.submit(state(1));
    await until("a report", () => last() !== undefined);
    expect(last()).toMatchObject({ phase: "failed", enforcedRevision: 0, witness: "" });
    expect(last()?.conditions).toMatchObject([{ code: "POLICY_REFUSED" }]);
    expect(agent.held.generation).toBe(0);
  });

  it("never says enforced of endpoints that do not carry it yet", async () => {
    const wanted: DesiredState = {
      ...state(1),
      cilium: {
        etcd: { members: ["http://10.77.0.10:2379"], ca: undefined, certificate: undefined, key: undefined },
        range: "10.42.11.0/24",
        ranges: "10.42.0.0/16",
        endpoints: [],
      },
    };
    agent.submit(wanted);
    await until("a report", () => last()?.generation === 1);
    expect(last()).toMatchObject({ phase: "applying", enforcedRevision: 0, witness: "" });
    cilium.realised = { digest: wanted.digest, at: new Date(host.clock.now().getTime() + 60_000) };
    agent.lookAgain();
    await until("a report", () => last()?.phase === "enforced");
    expect(last()).toMatchObject({ enforcedRevision: 1, enforcedAt: cilium.realised.at });
    cilium.realised = { digest: state(2).digest, at: host.clock.now() };
    agent.lookAgain();
    await until("a report", () => last()?.enforcedRevision === 0);
    expect(last()?.phase).toBe("applying");
    // the way back ends when nothing of them is left
    cilium.wasHere = true;
    const { digest } = state(2);
    cilium.realised = undefined;
    agent.submit(state(2));
    await until("a report", () => last()?.generation === 2);
    expect(last()).toMatchObject({ phase: "applying", enforcedRevision: 0 });
    cilium.realised = { digest, at: host.clock.now() };
    agent.lookAgain();
    await until("a report", () => last()?.phase === "enforced");
  });

  it("says reverted while the kernel still carries the one before", async () => {
    agent.submit(state(1));
    await until("the first", () => last()?.phase === "enforced");
    policyWork = async () => ({ ...nothing, end: "reverted" });
    agent.submit(state(2));
    await until("the second", () => last()?.generation === 2);
    expect(last()).toMatchObject({ phase: "reverted", enforcedRevision: 1 });
  });

  it("reports the rules at once, and does not let identity's trouble touch them", async () => {
    identityWork = async () => {
      expect(last()?.phase).toBe("enforced");
      throw new WeftError("WEFT-E402", "it did not start");
    };
    agent.submit(state(1));
    await until("the condition", () => (last()?.conditions.length ?? 0) > 0);
    expect(last()).toMatchObject({ phase: "enforced", conditions: [{ code: "SPIRE_AGENT_DOWN" }] });
  });

  it("lets a newer state in while an older one waits for its identity, and skips those between", async () => {
    let entered = false;
    identityWork = (_desired, signal) =>
      new Promise((resolve) => {
        entered = true;
        signal.addEventListener("abort", () => resolve({ ...nothing, end: "superseded" }));
      });
    agent.submit(state(1));
    await until("waiting", () => entered);
    identityWork = async () => nothing;
    agent.submit(state(2));
    agent.submit(state(3));
    await until("the newest", () => last()?.generation === 3);
    // a member of etcd leaves while the rules of before still let it
    expect(looked).toEqual(["policy 1", "identity 1", "etcd before 3", "policy 3", "identity 3"]);
  });

  it("looks after etcd under whatever rules are in force, and not before there are any", async () => {
    const seen: number[] = [];
    etcdWork = async ({ generation }) => {
      seen.push(generation);
      return { ...nothing, findings: [{ code: "ETCD_DOWN", detail: "waits" }] };
    };
    const putInForce = policyWork;
    policyWork = async () => nothing;
    agent.submit(state(1));
    await until("no rules", () => last()?.phase === "failed");
    policyWork = putInForce;
    agent.submit(state(2));
    await until("told", () => last()?.conditions[0]?.code === "ETCD_DOWN");
    policyWork = async () => ({ ...nothing, end: "reverted" });
    agent.submit(state(3));
    await until("looked after", () => seen.includes(3));
    expect(seen).not.toContain(1);
  });

  it("goes on repairing what is in force while a new state cannot be kept", async () => {
    agent.submit(state(1));
    await until("the first", () => last()?.phase === "enforced");
    keep = async () => {
      throw new WeftError("WEFT-E002", "desired.json cannot be written", { why: "ENOSPC" });
    };
    agent.submit(state(2));
    await until("the trouble", () => last()?.conditions[0]?.code === "DISK_TROUBLE");
    enforced = undefined;
    agent.lookAgain();
    await until("the repair", () => enforced !== undefined);
    expect(last()?.enforcedRevision).toBe(1);
    expect(looked).not.toContain("policy 2");
  });

  it("does not begin anew when it is told again what it works on", async () => {
    let aborted = false;
    let finish = () => {};
    identityWork = (_desired, signal) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        finish = () => resolve(nothing);
      });
    agent.submit(state(1));
    await until("the work", () => looked.includes("identity 1"));
    agent.submit(state(1));
    identityWork = async () => nothing;
    finish();
    await until("a second look", () => looked.filter((line) => line === "policy 1").length === 2);
    expect([aborted, kept]).toEqual([false, [1]]);
  });

  it("applies nothing that is not on disk, says why, and goes on when there is room", async () => {
    agent.submit(state(1));
    await until("the first", () => last()?.phase === "enforced");
    keep = () => Promise.reject(new WeftError("WEFT-E002", "no space"));
    agent.submit(state(2));
    await until("the condition", () => last()?.conditions[0]?.code === "DISK_TROUBLE");
    expect(last()).toMatchObject({ generation: 1, phase: "enforced" });
    expect(looked).not.toContain("policy 2");
    keep = async ({ generation }) => void kept.push(generation);
    await until("waiting", () => host.clock.sleeping > 0);
    host.clock.advance(5_000);
    await until("the second", () => last()?.generation === 2 && last()?.conditions.length === 0);
  });

  it("looks again every few seconds, and reports only what differs", async () => {
    agent.submit(state(1));
    await until("waiting", () => last()?.phase === "enforced" && host.clock.sleeping > 0);
    const before = reports.length;
    host.clock.advance(5_000);
    await until("a second look", () => looked.filter((line) => line === "policy 1").length === 2);
    await until("waiting again", () => host.clock.sleeping > 0);
    expect(reports).toHaveLength(before);
  });
});
