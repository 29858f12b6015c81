import { describe, expect, it } from "@jest/globals";
import { compileMesh } from "../compile/compile.ts";
import { loadMesh } from "../mesh/validate.ts";
import { guardRisks } from "./guard-risks.ts";
import type { MeshState, OperatorSession } from "./risk.ts";

interface Parts {
  readonly dns?: string;
  readonly guard?: string;
  readonly nodes?: string;
  readonly services?: string;
  readonly policies?: string;
}

const usual = {
  dns: "dns: { zone: mesh.internal, mode: off, upstreams: [10.77.0.53] }",
  guard: "guard: { admin: [192.0.2.0/28, 10.77.0.64/26], ports: [22/tcp, 2200-2210/tcp] }",
  nodes: "  hub: { address: 10.77.0.10 }\n  web1: { address: 10.77.0.11 }\n  new1: { address: 10.77.0.12 }",
  services: "  web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }",
  policies: "",
};

function stateOf(parts: Parts): MeshState {
  const { dns, guard, nodes, services, policies } = { ...usual, ...parts };
  const text = `weft: v1\nmesh: shop\ntrustDomain: mesh.internal\n${dns}\n${guard}\nnodes:\n${nodes}\nservices:\n${services}\n${policies}\n`;
  // another hub's name: its own ports are refused by the file's rules already
  const { mesh, problems } = loadMesh([{ name: "mesh.yaml", text }], {
    coordinatorNode: undefined,
  });
  if (mesh === undefined) throw new Error(JSON.stringify(problems));
  const place = {
    node: "hub",
    address: "10.77.0.10",
    agentPort: 7443,
    enrolmentPort: 7444,
    spirePort: 8081,
  };
  return { mesh, contents: compileMesh(mesh, place) };
}

/** "CODE nodes line: text" of every risk. */
function risks(before: Parts | undefined, after: Parts, operator?: OperatorSession): string[] {
  const found = guardRisks({
    before: before === undefined ? undefined : stateOf(before),
    after: stateOf(after),
    members: new Set(["hub", "web1"]),
    operator,
  });
  return found.map(({ code, node, place, text }) => `${code} ${node} ${place?.line ?? "-"}: ${text}`);
}

describe("no risk", () => {
  it.each<[string, Parts | undefined, Parts]>([
    ["nothing changes", {}, {}],
    ["nothing was there before", undefined, {}],
    [
      "a wider range takes the place of a narrow one",
      {},
      {
        guard: "guard: { admin: [192.0.2.0/24, 10.77.0.0/24], ports: [22/tcp, 2000-3000/tcp] }",
      },
    ],
    [
      "the same ranges are cut otherwise",
      {},
      {
        guard:
          "guard: { admin: [10.77.0.64/27, 10.77.0.96/27, 192.0.2.0/28], ports: [2200-2205/tcp, 2206-2210/tcp, 22/tcp] }",
      },
    ],
    ["a guard without ports goes", { guard: "guard: { admin: [192.0.2.0/28], ports: [] }" }, { guard: "" }],
    ["a node that never joined moves or goes", {}, { nodes: usual.nodes.replace(/\n.*new1.*/, "") }],
    [
      "a DNS server is added",
      {},
      {
        dns: "dns: { zone: mesh.internal, mode: off, upstreams: [10.77.0.54, 10.77.0.53] }",
      },
    ],
    ["DNS servers are named for the first time", { dns: "" }, {}],
    [
      "policies and services come and go",
      {},
      {
        services: "  api: { nodes: [hub], user: api, ports: { http: 9090/tcp } }",
        policies: "defaults: { egress: deny }",
      },
    ],
  ])("when %s", (_, before, after) => {
    expect(risks(before, after)).toEqual([]);
  });
});

describe("a risk, with code, node and place", () => {
  it.each<[string, Parts, RegExp[]]>([
    [
      "an admin range goes",
      {
        guard: "guard: { admin: [192.0.2.0/28], ports: [22/tcp, 2200-2210/tcp] }",
      },
      [
        /^GUARD-ADMIN hub 5: 10\.77\.0\.64\/26 is no admin range any more: .*22\/tcp, 2200-2210\/tcp/,
        /^GUARD-ADMIN web1 5: 10\.77\.0\.64\/26/,
      ],
    ],
    [
      "an admin range is narrowed",
      {
        guard: "guard: { admin: [192.0.2.0/29, 10.77.0.64/26], ports: [22/tcp, 2200-2210/tcp] }",
      },
      [/^GUARD-ADMIN hub 5: 192\.0\.2\.8\/29/, /^GUARD-ADMIN web1/],
    ],
    [
      "the whole guard goes",
      { guard: "" },
      [
        /^GUARD-ADMIN hub -: 10\.77\.0\.64\/26/,
        /^GUARD-ADMIN web1/,
        /^GUARD-ADMIN hub -: 192\.0\.2\.0\/28/,
        /^GUARD-ADMIN web1/,
        /^GUARD-PORT hub -: 22\/tcp/,
        /^GUARD-PORT web1/,
        /^GUARD-PORT hub -: 2200-2210\/tcp/,
        /^GUARD-PORT web1/,
      ],
    ],
    [
      "a guard port goes, another is narrowed",
      {
        guard: "guard: { admin: [192.0.2.0/28, 10.77.0.64/26], ports: [2200-2204/tcp] }",
      },
      [
        /^GUARD-PORT hub 5: 22\/tcp is no guard port/,
        /^GUARD-PORT web1/,
        /^GUARD-PORT hub 5: 2205-2210\/tcp/,
        /^GUARD-PORT web1/,
      ],
    ],
    [
      "an address inside an admin range becomes a node's",
      { nodes: `${usual.nodes}\n  ops: { address: 10.77.0.66 }` },
      [/^GUARD-ADMIN hub 10: 10\.77\.0\.66 is the node ops's and not named by itself/, /^GUARD-ADMIN web1/],
    ],
    [
      "a service takes a guard port",
      {
        services: `${usual.services}\n  trap: { nodes: [new1], user: trap, ports: { odd: 2208-2220/tcp } }`,
      },
      [/^GUARD-PORT new1 12: trap takes 2208-2220\/tcp \(odd\), a guard port/],
    ],
    [
      "a service takes a port of the coordinator on its node",
      {
        services: `${usual.services}\n  trap: { nodes: [hub, web1], user: trap, ports: { spire: 8081/tcp } }`,
      },
      [/^GUARD-HUB hub 12: trap takes 8081\/tcp \(spire\), a port of the coordinator/],
    ],
    [
      "the coordinator's node moves",
      { nodes: usual.nodes.replace("10.77.0.10", "10.77.0.20") },
      [/^GUARD-HUB hub 7: .*said to be at 10\.77\.0\.20, and the coordinator is at 10\.77\.0\.10/],
    ],
    [
      "the coordinator's node is renamed",
      { nodes: usual.nodes.replace("hub:", "hub2:") },
      [/^GUARD-HUB hub -: .*not in the file any more \(gone or renamed\)/],
    ],
    [
      "an enrolled node moves",
      { nodes: usual.nodes.replace("10.77.0.11", "10.77.0.21") },
      [/^GUARD-NODE web1 8: the enrolled node web1 moves from 10\.77\.0\.11 to 10\.77\.0\.21/],
    ],
    [
      "an enrolled node goes",
      {
        nodes: usual.nodes.replace(/\n.*web1.*/, ""),
        services: usual.services.replace("web1", "hub"),
      },
      [/^GUARD-NODE web1 -: the enrolled node web1 is not in the file any more/],
    ],
    [
      "a DNS server is exchanged",
      {
        dns: "dns: { zone: mesh.internal, mode: off, upstreams: [10.77.0.54] }",
      },
      [
        /^GUARD-UPSTREAM hub 4: the DNS server 10\.77\.0\.53 is not kept open any more; asked instead: 10\.77\.0\.54/,
        /^GUARD-UPSTREAM web1/,
      ],
    ],
    [
      "DNS servers are named no more",
      { dns: "" },
      [/^GUARD-UPSTREAM hub -: .*the servers each node had/, /^GUARD-UPSTREAM web1/],
    ],
  ])("when %s", (_, after, expected) => {
    const found = risks({}, after);
    expect(found).toHaveLength(expected.length);
    for (const [index, pattern] of expected.entries()) expect(found[index]).toMatch(pattern);
  });

  it("when a service takes the port of a DNS server that is a node", () => {
    const dns = {
      dns: "dns: { zone: mesh.internal, mode: off, upstreams: [10.77.0.12] }",
    };
    const named = {
      ...dns,
      services: `${usual.services}\n  dns: { nodes: [new1], user: dns, ports: { dns: 53/udp } }`,
    };
    expect(risks(dns, named)).toEqual([expect.stringMatching(/^GUARD-UPSTREAM new1 12: dns takes 53\/udp/)]);
    expect(risks(named, named)).toEqual([]);
  });

  it("when the operator cuts the own way in: only then, and only of ports that were open to that address", () => {
    const trap = {
      services: `${usual.services}\n  trap: { nodes: [hub, web1], user: trap, ports: { ssh: 22/tcp } }`,
    };
    const from = (address: string) =>
      risks({}, trap, { address, port: 22 }).filter((text) => text.startsWith("GUARD-OPERATOR"));
    expect(from("198.51.100.7")).toEqual([
      expect.stringMatching(
        /^GUARD-OPERATOR hub 12: you come from 198\.51\.100\.7, and would no longer get to 22\/tcp, which becomes a port of trap/,
      ),
      expect.stringMatching(/^GUARD-OPERATOR web1 12/),
    ]);
    // an administrator's address stays one
    expect(from("192.0.2.7")).toEqual([]);
    const named = {
      ...trap,
      policies: "policies:\n  - { name: ops, from: [{ cidr: 198.51.100.0/24 }], to: trap }",
    };
    expect(risks({}, named, { address: "198.51.100.7", port: 22 }).join()).not.toContain("GUARD-OPERATOR");
    expect(risks(trap, trap, { address: "198.51.100.7", port: 22 })).toEqual([]);
  });

  it("when a baseline closes what the operator came by, and no guard and no line of it lets in", () => {
    const closed = (allow: string) => ({ policies: `baseline:\n  - { inbound: deny${allow} }` });
    const found = (after: Parts, address: string) =>
      risks({}, after, { address, port: 22 }).filter((text) => text.startsWith("GUARD-OPERATOR"));
    expect(found(closed(""), "198.51.100.7")).toEqual([
      expect.stringMatching(/^GUARD-OPERATOR hub 13: .*no longer get to 22\/tcp, which the baseline closes/),
      expect.stringMatching(/^GUARD-OPERATOR hub 13: .*2200\/tcp/),
      expect.stringMatching(/^GUARD-OPERATOR hub 13: .*2210\/tcp/),
      expect.stringMatching(/^GUARD-OPERATOR web1 13: .*22\/tcp/),
      expect.stringMatching(/^GUARD-OPERATOR web1 13: .*2200\/tcp/),
      expect.stringMatching(/^GUARD-OPERATOR web1 13: .*2210\/tcp/),
    ]);
    expect(found(closed(""), "192.0.2.7")).toEqual([]);
    expect(found(closed(", mode: audit"), "198.51.100.7")).toEqual([]);
  });

  it("when a service takes the port of the hub by which the operator came, guard port or not", () => {
    const trap = {
      guard: "",
      services: `${usual.services}\n  trap: { nodes: [hub, web1], user: trap, ports: { ssh: 2022/tcp } }`,
    };
    expect(risks({ guard: "" }, trap, { address: "fd00::7", port: 2022 })).toEqual([
      expect.stringMatching(/^GUARD-OPERATOR hub 12: you come from fd00::7/),
    ]);
  });
});
