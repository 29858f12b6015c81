import { describe, expect, it } from "@jest/globals";
import type { ObservedFlow } from "@weft/shared/model/observation";
import { compileMesh } from "../compile/compile.ts";
import type { NodeObservations } from "../fleet/observations.ts";
import { loadMesh } from "../mesh/validate.ts";
import { flipRisks } from "./flip-risks.ts";
import { hiddenCallers } from "./hidden-callers.ts";
import { type Flip, replay } from "./replay.ts";
import { type Memory, unknownSpans } from "./unknown-spans.ts";

const head = `weft: v1
mesh: shop
trustDomain: mesh.internal
nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11 }
  api1: { address: 10.77.0.12 }
services:
  web: { nodes: [web1], user: web }
  shop: { nodes: [web1], user: shop }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp } }
`;
const webToApi = "  - { name: web-to-api, from: [web], to: api }\n";
const ops = "  - { name: ops, from: [{ cidr: 192.0.2.0/28 }], to: api }\n";
const before = `${head}policies:\n${webToApi}${ops}`;

function meshOf(text: string) {
  return loadMesh([{ name: "mesh.yaml", text }], { coordinatorNode: "hub" }).mesh!;
}

function compile(text: string) {
  const mesh = meshOf(text);
  const ports = { agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
  return compileMesh(mesh, { node: "hub", address: "10.77.0.10", ...ports });
}

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 12, minute));

function flow(fields: Partial<ObservedFlow>): ObservedFlow {
  const base = { kind: "seen", direction: "out", protocol: "tcp", port: 8080, user: "", packets: 1 } as const;
  return { ...base, source: undefined, destination: undefined, uid: undefined, lastSeen: at(0), ...fields };
}
const sent = (user: string, fields: Partial<ObservedFlow> = {}) =>
  flow({ user, uid: 1000, destination: "10.77.0.12", ...fields });
const arrived = (source: string, fields: Partial<ObservedFlow> = {}) =>
  flow({ direction: "in", source, ...fields });

function told(flows: Readonly<Record<string, readonly ObservedFlow[]>>): NodeObservations[] {
  return Object.entries(flows).map(([node, each]) => ({
    node,
    flows: each,
    fullSets: [],
    leftOut: 0,
    spent: [],
    memorySince: at(0),
    heard: at(9),
  }));
}

const replayed = (flows: Parameters<typeof told>[0], after: string, from = before): Flip[] =>
  replay(told(flows), compile(from), compile(after));

const both = { web1: [sent("web", { lastSeen: at(2) })], api1: [arrived("10.77.0.11", { lastSeen: at(3) })] };

describe("the replay of remembered flows", () => {
  it("turns nothing when nothing changes", () => {
    expect(replayed(both, before)).toEqual([]);
    expect(replayed(both, `${before}# at the end\n`)).toEqual([]);
  });

  it("lists what would be refused, with its last use, its witnesses and what decides", () => {
    expect(replayed(both, `${head}policies:\n${ops}`)).toEqual([
      expect.objectContaining({
        becomes: "refused",
        source: expect.objectContaining({ kind: "service", name: "web", node: "web1" }),
        destination: expect.objectContaining({ kind: "service", name: "api", node: "api1" }),
        port: 8080,
        portName: "http",
        lastUsed: at(2),
        witnesses: ["web1", "api1"],
        isClaim: false,
        by: "default",
        at: "web1",
      }),
    ]);
    const denied = `${before}  - { name: no-web, from: [web], to: api, action: deny }\n`;
    expect(replayed(both, denied)).toMatchObject([
      { becomes: "refused", by: "policy", origin: { policy: "no-web" } },
    ]);
  });

  it("lists refusals that would be let pass", () => {
    const refused = { web1: [sent("shop", { kind: "denied" }), sent("shop")] };
    expect(replayed(refused, `${before}  - { name: shop-to-api, from: [shop], to: api }\n`)).toMatchObject([
      { becomes: "allowed", source: { name: "shop" }, witnesses: ["web1"], isClaim: true, by: "policy" },
    ]);
  });

  it("believes one end alone about a loss, and says that it is a claim", () => {
    const after = `${head}policies:\n${ops}`;
    expect(replayed({ web1: [sent("web")] }, after)).toMatchObject([
      { becomes: "refused", witnesses: ["web1"], isClaim: true },
    ]);
    // a sender that keeps silent does not hide the loss: the receiver knows the node, and not who
    expect(replayed({ api1: [arrived("10.77.0.11")] }, after)).toMatchObject([
      { becomes: "refused", source: { kind: "node", name: "web1" }, witnesses: ["api1"], isClaim: true },
    ]);
  });

  it("takes the word of the receiver alone for what is no node", () => {
    expect(replayed({ api1: [arrived("192.0.2.9")] }, `${head}policies:\n${webToApi}`)).toMatchObject([
      { becomes: "refused", source: { kind: "none", address: "192.0.2.9" }, isClaim: false, at: "api1" },
    ]);
  });

  it("replays what services open outside the mesh, and leaves everybody else alone", () => {
    const outside = { destination: "198.51.100.7", port: 443 };
    const flows = { web1: [sent("web", outside), sent("mallory", outside)] };
    expect(replayed(flows, `${before}defaults: { egress: deny }\n`)).toMatchObject([
      { becomes: "refused", source: { name: "web" }, destination: { address: "198.51.100.7" }, at: "web1" },
    ]);
  });

  it("follows a port that ends its trial, and one that begins to be judged", () => {
    const trial = before.replace("to: api }\n", "to: api, mode: audit }\n").replace(ops, "");
    const flows = { web1: [sent("mallory")], api1: [arrived("10.77.0.11")] };
    expect(replayed(flows, before, trial)).toMatchObject([
      { becomes: "refused", source: { name: "mallory" } },
    ]);
    const undeclared = before
      .replace(", ports: { http: 8080/tcp }", "")
      .replace(webToApi, "")
      .replace(ops, "");
    expect(replayed(flows, before, undeclared.replace("policies:\n", ""))).toMatchObject([
      { becomes: "refused", source: { name: "mallory" } },
    ]);
  });

  it("marks a guard flow that would be refused, and lists it first", () => {
    const guarded = `${before}guard: { admin: [192.0.2.64/28], ports: [22/tcp, 8080/tcp] }\n`;
    const flows = {
      api1: [arrived("192.0.2.1", { lastSeen: at(5) }), arrived("192.0.2.65", { lastSeen: at(1) })],
    };
    const without = `${head}policies:\n${webToApi}`;
    expect(replayed(flows, without, guarded)).toMatchObject([
      { becomes: "refused", source: { address: "192.0.2.65" }, isGuard: true },
      { becomes: "refused", source: { address: "192.0.2.1" }, isGuard: false },
    ]);
    // from anywhere, at a guard port that no policy has judged so far
    const ssh = { api1: [arrived("198.51.100.9", { port: 22 })] };
    const declared = guarded.replace("http: 8080/tcp", "http: 8080/tcp, ssh: 22/tcp");
    expect(replayed(ssh, declared, guarded)).toMatchObject([{ becomes: "refused", isGuard: true }]);
    // the coordinator tries guard ports itself; an operator on its machine is somebody else
    const from = (user: string) => ({
      hub: [sent(user, { port: 22 })],
      api1: [arrived("10.77.0.10", { port: 22 })],
    });
    expect(replayed(from("weft"), declared, guarded)).toMatchObject([{ becomes: "refused", isGuard: false }]);
    expect(replayed(from("root"), declared, guarded)).toMatchObject([{ becomes: "refused", isGuard: true }]);
    const change = (after: string) => ({
      before: { mesh: meshOf(guarded), contents: compile(guarded) },
      after: { mesh: meshOf(after), contents: compile(after) },
      members: new Set(["api1"]),
      operator: undefined,
    });
    expect(flipRisks(told(ssh), change(guarded))).toEqual([]);
    expect(flipRisks(told(ssh), change(declared))).toMatchObject([
      { code: "FLIP-GUARD", node: "api1", text: expect.stringContaining("198.51.100.9 -> api:22/tcp") },
    ]);
    const many = Array.from({ length: 25 }, (_, index) => arrived(`198.51.100.${index + 1}`, { port: 22 }));
    expect(flipRisks(told({ api1: many }), change(declared)).at(-1)?.text).toContain("and 5 more");
  });

  it("replays what a node passes on", () => {
    const through = {
      direction: "forward",
      kind: "denied",
      source: "192.0.2.77",
      destination: "10.77.0.12",
    } as const;
    expect(replayed({ web1: [flow(through)] }, before.replace("192.0.2.0/28", "192.0.2.0/24"))).toMatchObject(
      [{ becomes: "allowed", at: "web1" }],
    );
  });
});

describe("what the memory cannot tell", () => {
  const fresh = (node: string): Memory => ({
    node,
    state: "fresh",
    fullSets: [],
    leftOut: 0,
    isCurrent: true,
    spent: [],
    since: at(0),
  });
  const all = ["hub", "web1", "api1"].map(fresh);
  const spans = (memories: readonly Memory[], after: string) =>
    unknownSpans(memories, compile(before), compile(after), at(1)).map(
      ({ node, text }) => `${node}: ${text}`,
    );
  const after = `${head}policies:\n${ops}`;

  it("is nothing when every node whose rules change has told everything", () => {
    expect(spans(all, after)).toEqual([]);
    expect(spans([], before.replace("mesh: shop", "mesh: shop\n"))).toEqual([]);
  });

  it("is said node by node: full sets, flows left out, silence, another revision", () => {
    const [hub, web1, api1] = all.map((each) => each);
    const full = { ...web1!, fullSets: ["seen_out4", "denied_out4"], leftOut: 7, isCurrent: false };
    expect(spans([hub!, full, api1!], after)).toEqual([
      "web1: it does not carry the current revision: what passes there now is UNKNOWN",
      "web1: its set seen_out4 is full: what is not in it is UNKNOWN",
      "web1: 7 of its flows were not told: they are UNKNOWN",
    ]);
    expect(spans([hub!, { ...web1!, state: "stale" }], after)).toEqual([
      "api1: it has told no flows: all of them are UNKNOWN",
      "web1: it does not answer now: what it saw of late is UNKNOWN",
    ]);
  });

  it("is what was opened before a memory began, and what else whoever used up a quota opened", () => {
    const [hub, web1, api1] = all.map((each) => each);
    const mallory = { direction: "out", source: undefined, uid: 2666, user: "mallory" } as const;
    const rogue = { direction: "in", source: "10.77.0.66", uid: undefined, user: "" } as const;
    const young = { ...web1!, since: at(5), spent: [mallory] };
    const found = unknownSpans(
      [hub!, young, { ...api1!, spent: [rogue] }],
      compile(before),
      compile(after),
      at(1),
    );
    expect(found).toMatchObject([
      { node: "api1", source: "10.77.0.66", text: expect.stringContaining("opened there is UNKNOWN") },
      { node: "web1", source: "", since: at(5) },
      { node: "web1", source: "user mallory", text: expect.stringContaining("outside the mesh is UNKNOWN") },
    ]);
  });

  it("is that nobody else of a node called, when its own word alone says so and the change would refuse it", () => {
    const both = before.replace("from: [web]", "from: [web, shop]");
    const flows = told({ web1: [sent("web")], api1: [arrived("10.77.0.11")] });
    const hidden = (before: string, after: string) =>
      hiddenCallers(flows, compile(before), compile(after)).map(({ node, source }) => `${node} ${source}`);
    expect(hidden(both, before)).toEqual(["web1 user shop"]);
    expect(hidden(both, both)).toEqual([]);
    // what was refused so far is no loss
    expect(hidden(before, `${head}policies:\n${ops}`)).toEqual([]);
  });

  it("is what is passed on to a port that was not judged", () => {
    const grown = before.replace("http: 8080/tcp", "http: 8080/tcp, more: 9000-9001/tcp");
    expect(spans(all, grown)).toEqual([
      "hub: what it passes on for others (containers, routed networks) is not counted: UNKNOWN",
      "web1: what it passes on for others (containers, routed networks) is not counted: UNKNOWN",
    ]);
  });

  it("is who calls what a baseline closes, until it was on trial", () => {
    const closing = "guard: { admin: [192.0.2.0/28] }\nbaseline: [{ nodes: [web1], inbound: deny }]\n";
    const text =
      "its baseline closes: who pings it, or uses protocols beside TCP and UDP, was not counted: UNKNOWN";
    expect(spans(all, before + closing)).toEqual([`web1: ${text}`]);
    const trial = before + closing.replace("inbound: deny", "inbound: deny, mode: audit");
    expect(unknownSpans(all, compile(trial), compile(before + closing), at(1))).toEqual([]);
    const pinged = trial.replace("mode: audit", "mode: audit, allow: [{ from: [any], ports: [icmp] }]");
    expect(unknownSpans(all, compile(pinged), compile(trial), at(1))).toMatchObject([{ node: "web1" }]);
  });

  it("is nothing where a baseline was on trial: what it counted is replayed", () => {
    const base = `${before}guard: { admin: [192.0.2.0/28] }\n`;
    const [trial, closed] = [", mode: audit", ""].map((mode) =>
      compile(`${base}baseline: { inbound: deny${mode} }\n`),
    );
    const observed = told({ web1: [arrived("198.51.100.7", { kind: "audited", port: 9100 })] });
    expect(replay(observed, trial!, closed!)).toMatchObject([
      {
        becomes: "refused",
        by: "baseline",
        at: "web1",
        port: 9100,
        destination: { kind: "node", name: "web1" },
      },
    ]);
  });
});
