import { describe, expect, it } from "@jest/globals";
import type { DesiredContent } from "@weft/shared/model/desired";
import { canonicalText, digestOf } from "@weft/shared/plan/canonical";
import fc from "fast-check";
import { describeProblem } from "../mesh/problem.ts";
import { loadMesh } from "../mesh/validate.ts";
import { compileMesh } from "./compile.ts";
import { registrationEntries } from "./entries.ts";

const coordinator = {
  node: "hub",
  address: "10.77.0.10",
  agentPort: 7443,
  enrolmentPort: 7444,
  spirePort: 8081,
};

function load(text: string) {
  const { mesh, problems } = loadMesh([{ name: "m", text }], { coordinatorNode: "hub" });
  if (mesh === undefined) throw new Error(problems.map(describeProblem).join("\n"));
  return mesh;
}
const compile = (text: string) => compileMesh(load(text), coordinator);

const head = `weft: v1
mesh: shop
trustDomain: mesh.internal
nodes:
  hub: { address: 10.77.0.10 }
  n1: { address: 10.77.0.11, dns: { mode: file } }
  n2: { address: "fd77::12" }
services:
  web: { nodes: [n1], user: web, ports: { http: 8080/tcp } }
  api: { nodes: [n1, n2], user: api, unit: api.service, ports: { http: 8081/tcp } }
`;

describe("what a node is given", () => {
  const contents = compile(`${head}dns: { upstreams: [192.0.2.53] }\n`);
  const n1 = contents.get("n1") as DesiredContent;

  it("is one content per node", () => {
    expect([...contents.keys()]).toEqual(["hub", "n1", "n2"]);
    expect(n1).toMatchObject({
      mesh: "shop",
      trustDomain: "mesh.internal",
      node: "n1",
      address: "10.77.0.11",
    });
  });

  it("names its own workloads and the SPIRE server", () => {
    expect(n1.identity).toEqual({
      spireServerAddress: "10.77.0.10",
      spireServerPort: 8081,
      workloads: [
        { service: "api", spiffeId: "spiffe://mesh.internal/api", user: "api", unit: "api.service" },
        { service: "web", spiffeId: "spiffe://mesh.internal/web", user: "web", unit: undefined },
      ],
    });
  });

  it("has its own ports under services and everybody's under mesh", () => {
    expect(n1.policy.services.map(({ service }) => service)).toEqual(["api", "web"]);
    expect(n1.policy.mesh.map(({ service, address }) => `${service} ${address}`)).toEqual([
      "api 10.77.0.11",
      "api fd77::12",
      "web 10.77.0.11",
    ]);
    expect(contents.get("hub")?.policy.mesh).toEqual(n1.policy.mesh);
  });

  it("has every node's address on the coordinator's node, and elsewhere only those its CIDRs cover", () => {
    expect(contents.get("hub")?.policy.guard).toMatchObject({
      isCoordinator: true,
      nodeAddresses: ["10.77.0.10", "10.77.0.11", "fd77::12"],
      upstreams: ["192.0.2.53"],
    });
    expect(n1.policy.guard).toMatchObject({ isCoordinator: false, nodeAddresses: [] });
    const covered = compile(`${head}policies:\n  - { name: p, from: [{ cidr: 10.77.0.8/30 }], to: web }\n`);
    expect(covered.get("n1")?.policy.guard.nodeAddresses).toEqual(["10.77.0.10", "10.77.0.11"]);
  });

  it("has all names of the zone", () => {
    expect(n1.dns.mode).toBe("file");
    expect(contents.get("n2")?.dns.mode).toBe("auto");
    expect(n1.dns.records.map(({ name, type, value }) => `${name} ${type} ${value}`)).toEqual([
      "_http._tcp.api.mesh.internal SRV 0 0 8081 n1.node.mesh.internal",
      "_http._tcp.api.mesh.internal SRV 0 0 8081 n2.node.mesh.internal",
      "_http._tcp.web.mesh.internal SRV 0 0 8080 n1.node.mesh.internal",
      "api.mesh.internal A 10.77.0.11",
      "api.mesh.internal AAAA fd77::12",
      "hub.node.mesh.internal A 10.77.0.10",
      "n1.node.mesh.internal A 10.77.0.11",
      "n2.node.mesh.internal AAAA fd77::12",
      "web.mesh.internal A 10.77.0.11",
    ]);
  });

  it("comes with one registration entry per service and node", () => {
    expect(
      registrationEntries(load(head)).map(({ id, parentId, selectors }) => [id, parentId, selectors]),
    ).toEqual([
      [
        "weft.n1.api",
        "spiffe://mesh.internal/spire/agent/x509pop/n1",
        [
          { type: "unix", value: "user:api" },
          { type: "systemd", value: "id:api.service" },
        ],
      ],
      ["weft.n1.web", "spiffe://mesh.internal/spire/agent/x509pop/n1", [{ type: "unix", value: "user:web" }]],
      expect.arrayContaining(["weft.n2.api"]),
    ]);
  });
});

describe("an edit elsewhere", () => {
  it("changes nothing for a node it does not concern", () => {
    const before = compile(`${head}policies:\n  - { name: p, from: [web], to: api }\n`);
    const after = compile(
      `${head}policies:\n  - { name: p, from: [web], to: api }\n  - { name: q, from: [api], to: web }\n`,
    );
    expect(digestOf(after.get("hub"))).toBe(digestOf(before.get("hub")));
    expect(digestOf(after.get("n1"))).not.toBe(digestOf(before.get("n1")));
  });
});

describe("modes", () => {
  const modeOf = (policies: string, defaults = "") =>
    compile(`${head}policies:\n${policies}${defaults}`)
      .get("n2")
      ?.policy.services.map(({ mode }) => mode);

  it.each([
    ["no policy", "  []\n", "", ["enforce"]],
    ["no policy, mesh in audit", "  []\n", "defaults: { mode: audit }\n", ["audit"]],
    ["a policy in audit", "  - { name: a, from: [web], to: api, mode: audit }\n", "", ["audit"]],
    [
      "one in audit, one enforced: adding a trial opens nothing",
      "  - { name: a, from: [web], to: api, mode: audit }\n  - { name: b, from: [node:hub], to: api }\n",
      "",
      ["enforce"],
    ],
    [
      "an enforced policy in a mesh in audit",
      "  - { name: a, from: [web], to: api, mode: enforce }\n",
      "defaults: { mode: audit }\n",
      ["enforce"],
    ],
    [
      "a deny in audit changes nothing about the port",
      "  - { name: a, from: [web], to: api, action: deny, mode: audit }\n",
      "",
      ["enforce"],
    ],
  ])("%s", (_what, policies, defaults, modes) => {
    expect(modeOf(policies, defaults)).toEqual(modes);
  });
});

describe("laws", () => {
  const names = ["a", "b", "c"] as const;
  const nodeNames = ["hub", "n1", "n2"] as const;
  const source = fc.oneof(
    fc.constantFrom(...names),
    fc.constantFrom(...nodeNames).map((node) => `node:${node}`),
    fc.constantFrom("{ cidr: 10.77.0.8/30 }", "{ cidr: 10.77.0.12 }", "{ cidr: 192.0.2.0/24 }"),
  );
  const policy = fc.record({
    from: fc.uniqueArray(source, { minLength: 1, maxLength: 3 }),
    to: fc.constantFrom(...names),
    ports: fc.option(fc.constantFrom("[p]", "[7001-7003/tcp]", "[7002/tcp, 7005-7009/tcp]"), {
      nil: undefined,
    }),
    action: fc.constantFrom("allow", "deny"),
  });
  const placement = fc.record({
    a: fc.subarray([...nodeNames], { minLength: 1 }),
    b: fc.subarray([...nodeNames], { minLength: 1 }),
    c: fc.subarray([...nodeNames], { minLength: 1 }),
  });
  const addresses = { hub: "10.77.0.10", n1: "10.77.0.11", n2: "10.77.0.12" };
  const offset = { a: 0, b: 1000, c: 2000 };

  type Policy = typeof policy extends fc.Arbitrary<infer T> ? T : never;
  type Placement = typeof placement extends fc.Arbitrary<infer T> ? T : never;

  const portsOf = (entry: Policy) =>
    entry.ports?.replaceAll(/7\d\d\d/g, (port) => String(Number(port) + offset[entry.to]));

  function render(
    places: Placement,
    policies: readonly Policy[],
    order: (list: string[]) => string[],
  ): string {
    const services = names.map(
      (name) =>
        `  ${name}: { nodes: [${order([...places[name]]).join(", ")}], user: u${name}, ports: { p: ${7000 + offset[name]}-${7009 + offset[name]}/tcp } }`,
    );
    const lines = policies.map((entry, index) => {
      const ports = portsOf(entry);
      return `  - { name: p${index}, from: [${order([...entry.from]).join(", ")}], to: ${entry.to}, action: ${entry.action}${ports === undefined ? "" : `, ports: ${ports}`} }`;
    });
    const sections = [
      `nodes:\n${order(nodeNames.map((name) => `  ${name}: { address: ${addresses[name]} }`)).join("\n")}\n`,
      `services:\n${order(services).join("\n")}\n`,
      `policies:\n${order(lines).join("\n")}\n`,
    ];
    return `weft: v1\nmesh: shop\ntrustDomain: mesh.internal\n${order(sections).join("")}`;
  }

  const withoutLines = (contents: ReadonlyMap<string, DesiredContent>) =>
    canonicalText([...contents]).replaceAll(/"line":\d+/g, '"line":0');

  it("the order of the file means nothing but other line numbers", () => {
    fc.assert(
      fc.property(placement, fc.array(policy, { maxLength: 5 }), (places, policies) => {
        const forwards = compile(render(places, policies, (list) => list));
        const backwards = compile(render(places, policies, (list) => list.reverse()));
        expect(withoutLines(backwards)).toBe(withoutLines(forwards));
      }),
      { numRuns: 60 },
    );
  });

  it("a user may open exactly what a policy allows it and none denies it, at both ends", () => {
    const covers = { "{ cidr: 10.77.0.8/30 }": ["hub", "n1"], "{ cidr: 10.77.0.12 }": ["n2"] } as Record<
      string,
      string[]
    >;
    fc.assert(
      fc.property(placement, fc.array(policy, { maxLength: 6 }), (places, policies) => {
        const contents = compile(render(places, policies, (list) => list));
        const concerning = (to: string, port: number) =>
          policies.filter((entry) => {
            if (entry.to !== to) return false;
            const ports = portsOf(entry);
            if (ports === undefined || ports === "[p]") return true;
            return [...ports.matchAll(/(\d+)(?:-(\d+))?\/tcp/g)].some(
              ([, from, end]) => Number(from) <= port && port <= Number(end ?? from),
            );
          });
        for (const caller of [...names, undefined])
          for (const node of caller === undefined ? nodeNames : places[caller])
            for (const target of names)
              for (const port of [0, 1, 2, 4, 6].map((step) => 7000 + offset[target] + step)) {
                const here = concerning(target, port);
                const speaks = (entry: Policy) =>
                  entry.from.some((from) => from === caller || from === `node:${node}`);
                const denied = here.some(
                  (entry) =>
                    entry.action === "deny" &&
                    (speaks(entry) || entry.from.some((from) => covers[from]?.includes(node))),
                );
                const expected = !denied && here.some((entry) => entry.action === "allow" && speaks(entry));
                const content = contents.get(node) as DesiredContent;
                for (const instance of places[target]) {
                  const rules = content.policy.egress.filter(
                    (rule) =>
                      rule.destination === addresses[instance] &&
                      rule.port !== undefined &&
                      rule.port.from <= port &&
                      port <= rule.port.to &&
                      (rule.user === "" || rule.user === `u${caller}`),
                  );
                  const may =
                    rules.some(({ action }) => action === "allow") &&
                    !rules.some(({ action }) => action === "deny");
                  expect([caller, node, target, port, may]).toEqual([caller, node, target, port, expected]);
                  if (!expected) continue;
                  const received = contents
                    .get(instance)
                    ?.policy.ingress.filter(
                      (rule) =>
                        rule.service === target &&
                        rule.source === addresses[node] &&
                        rule.from !== rule.source &&
                        rule.port.from <= port &&
                        port <= rule.port.to,
                    );
                  expect(received?.map(({ action }) => action)).toEqual(received?.map(() => "allow"));
                  expect(received).not.toEqual([]);
                }
              }
      }),
      { numRuns: 60 },
    );
  });
});

describe("enforcement: auto", () => {
  it("is nftables, to the byte: it moves no node", () => {
    const named = (word: string) =>
      compile(head.replace("address: 10.77.0.11,", `address: 10.77.0.11, enforcement: ${word},`)).get("n1");
    expect(named("auto")?.policy.enforcement).toBe("nftables");
    expect(canonicalText(named("auto"))).toBe(canonicalText(named("nftables")));
  });
});
