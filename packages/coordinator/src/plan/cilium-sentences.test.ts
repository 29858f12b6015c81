// What `weft plan` says of nodes that come to enforce with Cilium, of what changes there, and of the way back.
import { describe, expect, it } from "@jest/globals";
import { compileMesh } from "../compile/compile.ts";
import { describeProblem } from "../mesh/problem.ts";
import { loadMesh } from "../mesh/validate.ts";
import { type NodeChange, planChanges } from "./changes.ts";

const moved = `weft: v1
mesh: shop
trustDomain: mesh.internal
cilium: { etcd: { members: [https://10.77.0.10:2379] }, ranges: 10.42.0.0/16 }
nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11, enforcement: cilium, range: 10.42.11.0/24 }
  api1: { address: 10.77.0.12, enforcement: cilium, range: 10.42.12.0/24 }
services:
  web: { nodes: [web1], user: web, unit: web.service, ports: { http: 8080/tcp } }
  api: { nodes: [api1], user: api, unit: api.service, ports: { http: 8080/tcp } }
  db: { nodes: [api1], user: db, unit: db.service, ports: { sql: 5432/tcp } }
policies:
  - { name: web-to-api, from: [web], to: api }
  - { name: api-to-db, from: [api], to: db }
  - { name: hub-to-web, from: [node:hub], to: web }
`;
const plain = moved.replaceAll(/, enforcement: cilium, range: [0-9./]+/g, "");

function compile(text: string) {
  const { mesh, problems } = loadMesh([{ name: "mesh.yaml", text }], { coordinatorNode: "hub" });
  if (mesh === undefined) throw new Error(problems.map(describeProblem).join("\n"));
  const ports = { agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
  return compileMesh(mesh, { node: "hub", address: "10.77.0.10", ...ports });
}

function plan(before: string, after: string): ReadonlyMap<string, NodeChange> {
  return new Map(planChanges(compile(before), compile(after)).map((change) => [change.node, change]));
}

/** Without what is about names. */
function wordsOf(before: string, after: string): Record<string, string[]> {
  return Object.fromEntries(
    [...plan(before, after)].map(([node, { words }]) => [
      node,
      words.filter((word) => !/: the name /.test(word)),
    ]),
  );
}

describe("a node that comes to enforce with Cilium", () => {
  it("is one sentence: who is restarted, and the way back; nobody else is concerned", () => {
    expect(wordsOf(plain, moved)).toEqual({
      web1: [
        "web1: Cilium enforces on top of nftables: web (web.service) gets its network namespace and is restarted for it; " +
          "the way back: nodes.web1.enforcement: nftables, without a range",
      ],
      api1: [
        "api1: Cilium enforces on top of nftables: api (api.service) and db (db.service) each get a network namespace " +
          "and are restarted for it; the way back: nodes.api1.enforcement: nftables, without a range",
      ],
    });
  });

  it("and so is the way back", () => {
    expect(wordsOf(moved, plain)["api1"]).toEqual([
      "api1: nftables enforces alone, Cilium goes: api (api.service) and db (db.service) each lose a network namespace " +
        "and are restarted for it; the way back: nodes.api1.enforcement: cilium, with a range",
    ]);
  });

  it("has names that lead to endpoints, and its policy files in the diff", () => {
    const change = plan(plain, moved).get("web1");
    expect(change?.words.filter((word) => word.includes(" api.mesh"))).toEqual([
      "web1: the name api.mesh.internal has A 10.42.12.243",
      "web1: the name api.mesh.internal loses A 10.77.0.12",
    ]);
    expect(change?.words).toContain(
      "web1: the name _http._tcp.api.mesh.internal has SRV 0 0 8080 api1.api.mesh.internal",
    );
    expect(change?.diff).toContain("+endpoint web 10.42.11.127 web.service\n+file weft-web.yaml\n+  {\n");
    expect(change?.diff).toContain('+        "description": "policy web-to-api (mesh.yaml:14)",\n');
  });

  it("may have no service yet", () => {
    const hub = moved.replace("10.77.0.10 }", "10.77.0.10, enforcement: cilium, range: 10.42.10.0/24 }");
    expect(wordsOf(moved, hub)["hub"]).toEqual([
      "hub: Cilium enforces on top of nftables: no service is here; " +
        "the way back: nodes.hub.enforcement: nftables, without a range",
    ]);
    expect(wordsOf(hub, moved)["hub"]).toEqual([
      "hub: nftables enforces alone, Cilium goes: no service is here; the way back: nodes.hub.enforcement: cilium, with a range",
    ]);
  });
});

describe("what changes on a node with Cilium", () => {
  it("is nothing when only lines move", () => {
    expect(wordsOf(moved, moved.replace("mesh: shop", "mesh: shop\n# more\n"))).toEqual({});
    const egress = `${moved}defaults: { egress: allow }\n`;
    expect(wordsOf(egress, egress.replace("defaults:", "# more\ndefaults:"))).toEqual({});
  });

  it.each<readonly [string, (text: string) => string, string, readonly string[]]>([
    [
      "a service comes",
      (text) =>
        text.replace("policies:", "  log: { nodes: [web1], user: log, unit: log.service }\npolicies:"),
      "web1",
      [
        "web1: log gets an endpoint of Cilium at 10.42.11.75: log.service gets a network namespace and is restarted for it",
      ],
    ],
    [
      "a service goes",
      (text) => text.replace(/ {2}db: .*\n/, "").replace(/.*api-to-db.*\n/, ""),
      "api1",
      [
        "api1: what Cilium lets api receive and send changes (policy api-to-db)",
        "api1: db loses its endpoint of Cilium at 10.42.12.116 and its network namespace; db.service is restarted without it",
      ],
    ],
    [
      "the etcd",
      (text) => text.replace("2379] }", "2379, https://10.77.0.11:2379], ca: /etc/ca.pem }"),
      "web1",
      [
        "web1: the Cilium agent restarts and uses the etcd https://10.77.0.10:2379 https://10.77.0.11:2379, ca /etc/ca.pem, " +
          "before: https://10.77.0.10:2379",
      ],
    ],
    [
      "the range, and so every address",
      (text) => text.replace("10.42.11.0/24", "10.42.21.0/24"),
      "web1",
      [
        "web1: endpoints of Cilium have addresses of 10.42.21.0/24, before: 10.42.11.0/24",
        "web1: the endpoint of web moves from 10.42.11.127 to 10.42.21.127: web.service is restarted for it",
      ],
    ],
    [
      "the ranges of all",
      (text) => text.replace("10.42.0.0/16", "10.42.0.0/17"),
      "web1",
      ["web1: what endpoints send to 10.42.0.0/17 keeps its source address, before: 10.42.0.0/16"],
    ],
    [
      "a unit",
      (text) => text.replace("unit: web.service", "unit: shop.service"),
      "web1",
      [
        "web1: the network namespace of web is for shop.service instead of web.service: both are restarted for it",
      ],
    ],
    [
      "a policy",
      (text) => text.replace("from: [node:hub], to: web", "from: [node:hub, api], to: web"),
      "web1",
      ["web1: what Cilium lets web receive and send changes (policy hub-to-web)"],
    ],
    [
      "egress",
      (text) => `${text}defaults: { egress: deny }\n`,
      "web1",
      [
        "web1: what Cilium lets web receive and send changes (declared ports that no policy opens to it, defaults: { egress: allow })",
      ],
    ],
  ])("%s", (_what, edit, node, said) => {
    const words = wordsOf(moved, edit(moved))[node] ?? [];
    expect(words.filter((word) => /Cilium|endpoint|network namespace/.test(word))).toEqual(said);
  });
});
