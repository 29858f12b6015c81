// What a mesh file says, as files of Cilium; and what cannot be said in Cilium's terms, each at its place.
import { describe, expect, it } from "@jest/globals";
import { describeProblem } from "../mesh/problem.ts";
import { loadMesh } from "../mesh/validate.ts";
import { previewCilium } from "./preview.ts";

const head = `weft: v1
mesh: demo
trustDomain: mesh.internal
nodes: { hub: { address: 10.77.0.10 }, web1: { address: 10.77.0.11 }, api1: { address: 10.77.0.12 }, api2: { address: 10.77.0.13 } }
services:
  web: { nodes: [web1], user: web, unit: web.service, ports: { http: 8080/tcp } }
  shop: { nodes: [web1], user: shop, unit: shop.service, ports: { shop: 8090-8099/tcp } }
  api: { nodes: [api1, api2], user: api, unit: api.service, ports: { http: 8080/tcp } }
`;

function preview(rest: string, ...nodes: string[]) {
  const { mesh, problems } = loadMesh([{ name: "m.yaml", text: `${head}${rest}` }], {
    coordinatorNode: "hub",
  });
  if (mesh === undefined) throw new Error(problems.map(describeProblem).join("\n"));
  return previewCilium(mesh, nodes);
}

interface Spec {
  readonly description: string;
  readonly [section: string]: unknown;
}

/** By what they are about. */
function specs(rest: string, at: string, service: string, ...nodes: string[]): ReadonlyMap<string, Spec> {
  const made = preview(rest, at, ...nodes);
  expect(made.problems.filter(({ severity }) => severity === "error")).toEqual([]);
  const found = made.nodes.find(({ node }) => node === at)?.services.find((each) => each.service === service);
  const { specs: all } = JSON.parse(found?.file.text ?? "{}") as { specs: Spec[] };
  return new Map(all.map((spec) => [spec.description, spec]));
}

const id = (service: string, made = preview("", "hub", "web1", "api1")) => ({
  matchLabels: {
    "spiffe:id": made.nodes
      .flatMap(({ services }) => services)
      .find((each) => each.service === service)
      ?.labels[0]?.slice("spiffe:id=".length),
  },
});
const http = [{ ports: [{ port: "8080", protocol: "TCP" }] }];

describe("files", () => {
  it("close both directions, without any policy, too", () => {
    const made = specs("defaults: { egress: deny }\ndns: { mode: off }\n", "web1", "web");
    expect([...made.values()]).toEqual([
      expect.objectContaining({
        enableDefaultDeny: { egress: true, ingress: true },
        ingress: [{}],
        egress: [{}],
      }),
    ]);
  });

  it("know a service by its identity where it has an endpoint, and by its node's address where it has none", () => {
    const policies = "policies:\n  - { name: p, from: [web], to: api, ports: [http] }\n";
    const line = "policy p (m.yaml:10)";
    const both = specs(policies, "api1", "api", "web1");
    expect(both.get(line)?.["ingress"]).toEqual([{ fromEndpoints: [id("web")], toPorts: http }]);
    const one = specs(policies, "api1", "api");
    expect(one.get(`${line}; strength address, so any process of: web1`)?.["ingress"]).toEqual([
      { fromCIDR: ["10.77.0.11/32"], toPorts: http },
    ]);
    expect(specs(policies, "web1", "web", "api1", "api2").get(line)?.["egress"]).toEqual([
      { toEndpoints: [id("api")], toPorts: http },
    ]);
    expect(specs(policies, "web1", "web").get(line)?.["egress"]).toEqual([
      { toCIDR: ["10.77.0.12/32", "10.77.0.13/32"], toPorts: http },
    ]);
  });

  it("let a node's name stand for its processes and its services, and its own for the host", () => {
    const policies = "policies:\n  - { name: p, from: [node:web1], to: [api, shop] }\n";
    const made = specs(policies, "api1", "api", "web1");
    const far = [...made.values()].find(({ description }) => description.startsWith("policy p"));
    expect(far?.["ingress"]).toEqual(
      expect.arrayContaining([
        { fromCIDR: ["10.77.0.11/32"], toPorts: http },
        { fromEndpoints: expect.arrayContaining([id("web"), id("shop")]), toPorts: http },
      ]),
    );
    const near = specs(policies, "web1", "shop").get("policy p (m.yaml:10)");
    expect(near?.["ingress"]).toEqual(
      expect.arrayContaining([
        { fromEntities: ["host"], toPorts: [{ ports: [{ port: "8090", endPort: 8099, protocol: "TCP" }] }] },
      ]),
    );
  });

  it("let no range speak for nodes, but to deny, and leave the node's resolver alone", () => {
    const made = specs(
      "policies:\n" +
        "  - { name: in, from: [{ cidr: 10.77.0.0/24 }], to: web }\n" +
        "  - { name: not, from: [{ cidr: 10.77.0.0/28 }], to: web, action: deny }\n" +
        "  - { name: out, from: [web], to: { cidr: 0.0.0.0/0 }, ports: [443/tcp], action: deny }\n",
      "web1",
      "web",
    );
    const nodes = [10, 11, 12, 13].map((last) => `10.77.0.${last}/32`);
    expect(made.get("policy in (m.yaml:10)")?.["ingress"]).toEqual([
      { fromCIDRSet: [{ cidr: "10.77.0.0/24", except: nodes }], toPorts: http },
    ]);
    expect(made.get("policy not (m.yaml:11)")?.["ingressDeny"]).toEqual([
      { fromCIDRSet: [{ cidr: "10.77.0.0/28" }], toPorts: http },
    ]);
    expect(made.get("policy out (m.yaml:12)")?.["egressDeny"]).toEqual([
      {
        // never /0: for an agent without IPv6 that is the world of both families
        toCIDRSet: [{ cidr: "0.0.0.0/1", except: ["10.77.0.11/32"] }, { cidr: "128.0.0.0/1" }],
        toPorts: [{ ports: [{ port: "443", protocol: "TCP" }] }],
      },
    ]);
    expect(made.get("names: the resolver of its node")?.["egress"]).toEqual([
      {
        toEntities: ["host"],
        toPorts: [
          {
            ports: [
              { port: "53", protocol: "TCP" },
              { port: "53", protocol: "UDP" },
            ],
          },
        ],
      },
    ]);
  });

  it("hold more than 40 ports in lists of 40", () => {
    const ports = Array.from({ length: 45 }, (_, index) => `${1000 + 2 * index}/tcp`).join(", ");
    const made = specs(
      `policies:\n  - { name: p, from: [web], to: { cidr: 192.0.2.0/24 }, ports: [${ports}] }\n`,
      "web1",
      "web",
    );
    const rules = made.get("policy p (m.yaml:10)")?.["egress"] as
      | { toPorts: { ports: unknown[] }[] }[]
      | undefined;
    expect(rules?.[0]?.toPorts.map((each) => each.ports.length)).toEqual([40, 5]);
  });
});

describe("nodes that enforce with Cilium by the mesh file", () => {
  const text = `${head}cilium: { etcd: { members: [https://10.77.0.10:2379] }, ranges: 10.42.0.0/16 }
policies:
  - { name: p, from: [web], to: api, ports: [http] }
`.replace("10.77.0.11 }", "10.77.0.11, enforcement: cilium, range: 10.42.11.0/24 }");

  it("are taken so beside the named ones, whose files alone are shown", () => {
    const { mesh } = loadMesh([{ name: "m.yaml", text }], { coordinatorNode: "hub" });
    const { nodes } = previewCilium(mesh!, ["api1", "api2"]);
    expect(nodes.map(({ node }) => node)).toEqual(["api1", "api2"]);
    const file = nodes[0]?.services[0]?.file.text ?? "{}";
    const { specs: all } = JSON.parse(file) as { specs: Spec[] };
    const from = all.find(({ description }) => description === "policy p (m.yaml:11)");
    expect(from?.["ingress"]).toEqual([{ fromEndpoints: [id("web")], toPorts: http }]);
  });
});

describe("the mesh's own etcd", () => {
  const text = `${head}cilium: { etcd: { nodes: [hub] }, ranges: 10.42.0.0/16 }\n`;
  const { mesh } = loadMesh([{ name: "m.yaml", text }], { coordinatorNode: "hub" });

  it("is closed to services of nodes that its mesh file does not let in", () => {
    const { nodes, problems } = previewCilium(mesh!, ["web1"]);
    expect(problems.map(describeProblem)).toEqual([]);
    const { specs: all } = JSON.parse(nodes[0]?.services[0]?.file.text ?? "{}") as { specs: Spec[] };
    // nothing of the mesh file lets web1 in, which the preview alone takes to enforce with Cilium
    const closed = all.find(({ description }) => description.startsWith("declared ports that no policy"));
    expect(JSON.stringify(closed?.["egressDeny"])).toContain('"10.77.0.10/32"');
    expect(JSON.stringify(closed?.["egressDeny"])).toContain('"2379"');
  });

  it("is no endpoint of Cilium", () => {
    expect(previewCilium(mesh!, ["hub"]).problems.map(describeProblem)).toEqual([
      'm.yaml:9:27: error: node "hub" enforces with Cilium, which would need this etcd to begin with; ' +
        "allowed: etcd runs on nodes that enforce with nftables",
    ]);
  });
});

describe("what Cilium cannot carry is a problem at its place, and there are no files", () => {
  const policy = (words: string) => `policies:\n  - { name: p, ${words} }\n`;
  it.each([
    [
      "audit of the mesh",
      "defaults: { mode: audit }\n",
      /^m\.yaml:9:19: error: Cilium 1\.18 tries out nothing/,
    ],
    [
      "audit of a policy",
      policy("from: [web], to: api, mode: audit"),
      /^m\.yaml:10:\d+: error: policy "p" is in audit/,
    ],
    [
      "pings",
      policy("from: [web], to: node:api1, ports: [icmp]"),
      /^m\.yaml:10:\d+: error: policy "p" speaks of pings/,
    ],
    [
      "a closed node",
      "guard: { admin: [192.0.2.0/28], ports: [22/tcp] }\nbaseline: { inbound: deny }\n",
      /^m\.yaml:10:\d+: error: the baseline closes node "api1"/,
    ],
    [
      "a guard port of a service",
      "guard: { admin: [192.0.2.0/28], ports: [8080/tcp] }\n",
      /^m\.yaml:8:\d+: error: port 8080\/tcp is a guard port/,
    ],
    [
      "one of two instances",
      policy("from: [node:api1], to: web"),
      /^m\.yaml:10:\d+: error: service "web" is not reached alike .*"api" on api1 and api2.*one identity/,
    ],
    [
      "a range that covers one of two instances",
      "policies:\n  - { name: p, from: [web], to: api }\n" +
        "  - { name: q, from: [web], to: { cidr: 10.77.0.12 }, action: deny }\n",
      /^m\.yaml:11:\d+: error: service "web" would reach "api" on some of api1 and api2/,
    ],
  ])("%s", (_what, rest, text) => {
    const { nodes, problems } = preview(rest, "web1", "api1", "api2");
    const errors = problems.filter(({ severity }) => severity === "error").map(describeProblem);
    expect(errors.join("\n")).toMatch(new RegExp(text.source, "m"));
    for (const error of errors) expect(error).toContain("allowed: ");
    expect(nodes).toEqual([]);
  });

  it.each([
    ["20-30/tcp", "22/tcp"],
    ["53/udp", "53/udp"],
    ["7444/tcp", "7443-7444/tcp"],
  ])("a port of the machine: %s", (port, taken) => {
    const text = head.replace("8090-8099/tcp", port).concat("dns: { mode: off }\n");
    const { mesh } = loadMesh([{ name: "m.yaml", text }], { coordinatorNode: "hub" });
    const { nodes, problems } = previewCilium(mesh!, ["web1"]);
    expect(problems.map(describeProblem)).toEqual([
      expect.stringMatching(
        `^m\\.yaml:7:\\d+: error: port ${port} would be an endpoint's, and ${taken} stays the machine's`,
      ),
    ]);
    expect(nodes).toEqual([]);
    expect(previewCilium(mesh!, ["api1"]).problems).toEqual([]);
  });

  it("unless it is about other nodes", () => {
    const rest =
      "guard: { admin: [192.0.2.0/28], ports: [22/tcp] }\nbaseline: { nodes: [hub], inbound: deny }\n" +
      "policies:\n  - { name: p, from: [web], to: node:hub, ports: [icmp] }\n  - { name: q, from: [node:api1], to: web }\n";
    const { nodes, problems } = preview(rest, "web1", "api1");
    expect(problems).toEqual([]);
    expect(nodes.map(({ node }) => node)).toEqual(["api1", "web1"]);
  });
});
