// Remembered flows of endpoints of Cilium, judged by the rules of endpoints before and after a change; and moves to and from it.
import { describe, expect, it } from "@jest/globals";
import type { ObservedFlow } from "@weft/shared/model/observation";
import { compileMesh } from "../compile/compile.ts";
import type { NodeObservations } from "../fleet/observations.ts";
import { describeProblem } from "../mesh/problem.ts";
import { loadMesh } from "../mesh/validate.ts";
import { hiddenCallers } from "./hidden-callers.ts";
import { replay } from "./replay.ts";
import { type Memory, unknownSpans } from "./unknown-spans.ts";

const head = `weft: v1
mesh: shop
trustDomain: mesh.internal
cilium: { etcd: { members: [https://10.77.0.10:2379] }, ranges: 10.42.0.0/16 }
nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11, enforcement: cilium, range: 10.42.11.0/24 }
  api1: { address: 10.77.0.12, enforcement: cilium, range: 10.42.12.0/24 }
services:
  web: { nodes: [web1], user: web, unit: web.service, ports: { http: 8080/tcp } }
  shop: { nodes: [web1], user: shop, unit: shop.service, ports: { http: 8081/tcp } }
  api: { nodes: [api1], user: api, unit: api.service, ports: { http: 8080/tcp, more: 9090/tcp } }
  job: { nodes: [hub], user: job, ports: { http: 8090/tcp } }
policies:
`;
const webToApi = "  - { name: web-to-api, from: [web], to: api, ports: [http] }\n";
const jobToApi = "  - { name: job-to-api, from: [job], to: api, ports: [http] }\n";
const webToJob = "  - { name: web-to-job, from: [web], to: job }\n";
const full = `${head}${webToApi}${jobToApi}${webToJob}`;
const plain = (text: string, node: string) =>
  text.replace(new RegExp(`(${node}: \\{ address: [0-9.]+), enforcement: cilium, range: [0-9./]+`), "$1");

function compile(text: string) {
  const { mesh, problems } = loadMesh([{ name: "mesh.yaml", text }], { coordinatorNode: "hub" });
  if (mesh === undefined) throw new Error(problems.map(describeProblem).join("\n"));
  const ports = { agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
  return compileMesh(mesh, { node: "hub", address: "10.77.0.10", ...ports });
}
const addressOf = (node: string, service: string) =>
  compile(full)
    .get(node)!
    .cilium!.endpoints.find((each) => each.service === service)!.address;
const own = { web: addressOf("web1", "web"), shop: addressOf("web1", "shop"), api: addressOf("api1", "api") };

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 12, minute));
const counted = (more: Partial<ObservedFlow>): ObservedFlow => ({
  kind: "seen",
  direction: "in",
  source: undefined,
  destination: undefined,
  protocol: "tcp",
  port: 8080,
  uid: undefined,
  user: "",
  packets: 1,
  lastSeen: at(0),
  ...more,
});
const ofEndpoint = (service: string, more: Partial<ObservedFlow>) =>
  counted({ endpoint: { service, identity: 36880, peer: "", forged: false }, ...more });
const sent = (service: string, destination: string, more: Partial<ObservedFlow> = {}) =>
  ofEndpoint(service, { direction: "out", destination, ...more });
const got = (service: string, source: string, more: Partial<ObservedFlow> = {}) =>
  ofEndpoint(service, { source, ...more });

type Flows = Readonly<Record<string, readonly ObservedFlow[]>>;
const told = (flows: Flows): NodeObservations[] =>
  Object.entries(flows).map(([node, each]) => ({
    node,
    flows: each,
    fullSets: [],
    leftOut: 0,
    spent: [],
    memorySince: at(0),
    heard: at(9),
  }));
const flips = (flows: Flows, after: string, before = full) =>
  replay(told(flows), compile(before), compile(after)).map(
    ({ becomes, source, destination, port, by, origin, at: node, witnesses, isClaim }) =>
      `${source.name || source.address} -> ${destination.name || destination.address}:${port} ${becomes} by ${origin?.policy ?? by} ` +
      `at ${node}, seen by ${witnesses.join(" and ")}${isClaim ? " (a claim)" : ""}`,
  );

const direct = { web1: [sent("web", own.api)], api1: [got("api", own.web)] };
const published = {
  hub: [counted({ direction: "out", destination: "10.77.0.12", uid: 7, user: "job" })],
  api1: [counted({ source: "10.77.0.10" }), got("api", "10.77.0.10")],
};
const leaving = {
  web1: [sent("web", "10.77.0.10", { port: 8090 })],
  hub: [counted({ source: "10.77.0.11", port: 8090 })],
};

describe("flows of endpoints", () => {
  it("turn not, when nothing changes", () => {
    for (const flows of [direct, published, leaving]) expect(flips(flows, full)).toEqual([]);
  });

  it("between two are judged by the rules of both, and by identity", () => {
    expect(flips(direct, `${head}${jobToApi}`)).toEqual([
      "web -> api:8080 refused by default at web1, seen by web1 and api1",
    ]);
    const denied = `${full}  - { name: no-web, from: [web], to: api, action: deny }\n`;
    expect(flips(direct, denied)).toEqual([
      "web -> api:8080 refused by no-web at api1, seen by web1 and api1",
    ]);
    // one end tells of it
    expect(flips({ api1: direct.api1 }, denied)).toEqual([
      "web -> api:8080 refused by no-web at api1, seen by api1 (a claim)",
    ]);
  });

  it("that were refused may be let pass", () => {
    const asked = { web1: [sent("web", own.api, { kind: "denied", port: 9090 })] };
    expect(flips(asked, full)).toEqual([]);
    expect(flips(asked, full.replace("to: api, ports: [http] }", "to: api }"))).toEqual([
      "web -> api:9090 allowed by web-to-api at api1, seen by web1 (a claim)",
    ]);
    const forged = { ...asked.web1[0]!.endpoint!, forged: true };
    const made = { web1: [sent("web", own.api, { kind: "denied", port: 9090, endpoint: forged })] };
    expect(flips(made, full.replace("to: api, ports: [http] }", "to: api }"))).toEqual([]);
  });

  it("from and to a node without are judged by nftables there, too", () => {
    expect(flips(published, `${head}${webToApi}`)).toEqual([
      "job -> api:8080 refused by default at hub, seen by hub and api1",
    ]);
    expect(flips(leaving, `${head}${webToApi}`)).toEqual([
      "web -> job:8090 refused by default at web1, seen by web1 and hub",
    ]);
  });

  it("that were asked for by a node's address stay refused", () => {
    const byNode = { web1: [sent("web", "10.77.0.12", { kind: "denied" })] };
    expect(flips(byNode, `${full}  - { name: more, from: [shop], to: api }\n`)).toEqual([]);
    const atHome = { web1: [sent("web", "10.77.0.11", { kind: "denied", port: 8081 })] };
    expect(flips(atHome, `${full}  - { name: home, from: [web], to: shop }\n`)).toEqual([]);
  });
});

describe("a node that moves", () => {
  const back = plain(plain(full, "web1"), "api1");
  const asked = {
    web1: [counted({ direction: "out", destination: "10.77.0.12", uid: 7, user: "web" })],
    api1: [counted({ source: "10.77.0.11" })],
  };

  it("turns no flow that policies let pass, there and back, alone or with the other", () => {
    for (const [flows, before] of [
      [direct, full],
      [published, full],
      [leaving, full],
      [asked, back],
    ] as const)
      for (const after of [full, back, plain(full, "web1"), plain(full, "api1")])
        expect(flips(flows, after, before)).toEqual([]);
  });

  it("turns what its endpoints are stricter about", () => {
    const asked = (destination: string) =>
      counted({ direction: "out", destination, port: 9999, uid: 7, user: "web" });
    expect(flips({ web1: [asked("10.77.0.12"), asked("10.77.0.11")] }, full, back)).toEqual([
      "web -> web1:9999 refused by default at web1, seen by web1",
    ]);
  });

  it("turns on the way back what a change of policies turns", () => {
    expect(flips(direct, plain(plain(`${head}${jobToApi}`, "web1"), "api1"))).toEqual([
      "web -> api:8080 refused by default at web1, seen by web1 and api1",
    ]);
  });
});

describe("what the memory of endpoints cannot tell", () => {
  const memory = (node: string, endpoints: Memory["endpoints"]): Memory => ({
    node,
    state: "fresh",
    fullSets: [],
    leftOut: 0,
    isCurrent: true,
    spent: [],
    since: new Date(0),
    endpoints,
  });
  const texts = (endpoints: Memory["endpoints"], after: string, before = full) =>
    unknownSpans(
      ["hub", "web1", "api1"].map((node) => memory(node, endpoints)),
      compile(before),
      compile(after),
      at(0),
    ).map(
      ({ node, text, since }) => `${node}: ${text}${since === undefined ? "" : ` ${since.toISOString()}`}`,
    );
  const more = `${full}  - { name: more, from: [shop], to: api, ports: [more] }\n`;

  it("is UNKNOWN, and is said of nodes of which the rules of endpoints alone change", () => {
    expect(texts({ since: at(0), gap: "" }, more)).toEqual([]);
    const silent = "it has told nothing of its endpoints: what Cilium saw is UNKNOWN";
    expect(texts(undefined, more)).toEqual([`api1: ${silent}`, `web1: ${silent}`]);
    const deaf = "what Cilium sees at its endpoints is not heard (gone): UNKNOWN";
    expect(texts({ since: undefined, gap: "gone" }, more)).toEqual([`api1: ${deaf}`, `web1: ${deaf}`]);
    const young = "what was opened before Cilium was heard there (17 events were lost) is UNKNOWN";
    expect(texts({ since: at(5), gap: "17 events were lost" }, more)).toEqual([
      `api1: ${young} ${at(5).toISOString()}`,
      `web1: ${young} ${at(5).toISOString()}`,
    ]);
  });

  it("is what services did on their own machine, when they move into namespaces", () => {
    expect(texts(undefined, full, plain(full, "web1"))).toContain(
      "web1: its services move into namespaces: what they open on their own machine is not counted: UNKNOWN",
    );
  });

  it("is not who called, where the address of an endpoint says it", () => {
    const after = `${full}  - { name: no-shop, from: [shop], to: api, action: deny }\n`;
    const before = `${full}  - { name: shop-to-api, from: [shop], to: api, ports: [http] }\n`;
    expect(hiddenCallers(told(direct), compile(before), compile(after))).toEqual([]);
  });
});
