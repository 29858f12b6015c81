// What a node that enforces with Cilium must say in the mesh file, and what it must not, each at its line and column.
import { describe, expect, it } from "@jest/globals";
import {
  lines,
  load,
  nodes,
  policies,
  problems,
  section,
  services,
} from "../../../../../test/support/cilium/sample-mesh.ts";
import { describeProblem } from "../problem.ts";

describe("a node that enforces with Cilium", () => {
  const both = (what: string) => [`m:7:45: error: node "web1" ${what}`, `m:8:45: error: node "api1" ${what}`];
  it.each<readonly [string, string, string, readonly string[]]>([
    [
      "no section",
      section,
      "# none",
      both(
        'is to enforce with Cilium, and the mesh has no "cilium"; ' +
          "allowed: cilium: { etcd: { nodes: [NODE] }, ranges: 10.42.0.0/16 } at the top level",
      ),
    ],
    [
      "host bits",
      "10.42.11.0/24",
      "10.42.11.1/24",
      [
        'm:7:60: error: "10.42.11.1/24" is no IPv4 range; allowed: an IPv4 CIDR whose host bits are zero, ' +
          'such as 10.42.11.0/24; did you mean "10.42.11.0/24"?',
      ],
    ],
    [
      "a range without Cilium",
      "enforcement: cilium, range: 10.42.11.0/24",
      "enforcement: auto, range: 10.42.11.0/24",
      [
        'm:7:58: error: node "web1" has a range of endpoints and enforces with nftables, which has none; ' +
          "allowed: range together with enforcement: cilium",
      ],
    ],
    [
      "Cilium without a range",
      ", range: 10.42.11.0/24",
      "",
      [
        'm:7:45: error: node "web1" has no range, where the endpoints of its services have their addresses; ' +
          "allowed: range: an IPv4 CIDR inside 10.42.0.0/16",
      ],
    ],
    [
      "an IPv6 node",
      "address: 10.77.0.11,",
      'address: "fd77::11",',
      [
        'm:7:20: error: node "web1" enforces with Cilium at fd77::11, and endpoints have IPv4 addresses alone; ' +
          "allowed: an IPv4 address, or this node on nftables",
        'm:7:20: warning: nodes "hub" and "web1" have addresses of different families: ' +
          "policies between such nodes open nothing; allowed: IPv4 addresses for all nodes, or IPv6 addresses for all",
      ],
    ],
    [
      "a range outside",
      "10.42.11.0/24",
      "10.43.11.0/24",
      [
        'm:7:60: error: the range 10.43.11.0/24 of node "web1" is not inside cilium.ranges; ' +
          "allowed: a part of 10.42.0.0/16",
      ],
    ],
    [
      "a wide range",
      "10.42.11.0/24",
      "10.42.0.0/15",
      ['m:7:60: error: the range 10.42.0.0/15 of node "web1" is too wide; allowed: /16 to /29'],
    ],
    [
      "a narrow range",
      "10.42.11.0/24",
      "10.42.11.0/30",
      ['m:7:60: error: the range 10.42.11.0/30 of node "web1" is too narrow; allowed: /16 to /29'],
    ],
    [
      "overlapping ranges",
      "10.42.12.0/24",
      "10.42.8.0/21",
      [
        'm:8:60: error: the ranges of nodes "web1" and "api1" overlap; allowed: a range of its own for each node',
      ],
    ],
    [
      "a service without a unit",
      " unit: web.service,",
      "",
      [
        'm:10:3: error: service "web" names no unit, and node "web1" with Cilium gives each service a network ' +
          "namespace, which only a unit can be moved into; allowed: unit: NAME.service",
      ],
    ],
    [
      "a unit no folder can be named after",
      "unit: web.service",
      "unit: -web.service",
      [
        'm:10:42: error: -web.service is no unit that can be moved into a network namespace on node "web1"; ' +
          "allowed: a name of at most 209 characters that ends in .service and begins with a letter or digit",
      ],
    ],
    [
      "one unit twice",
      "nodes: [web1], user: web, unit: web.service",
      "nodes: [api1], user: web, unit: api.service",
      [
        'm:11:42: error: services "web" and "api" share the unit api.service on node "api1" with Cilium; ' +
          "allowed: a unit for each service: a unit is in one network namespace",
        'm:11:70: error: services "web" and "api" share port 8080/tcp on node "api1"',
      ],
    ],
  ])("%s", (_what, find, put, expected) => {
    expect(problems(find, put)).toEqual(expected);
  });

  it("a range that has no room for all services of its node", () => {
    const many = Array.from(
      { length: 7 },
      (_, index) => `  s${index}: { nodes: [web1], user: u${index}, unit: s${index}.service }`,
    );
    const text = [section, ...nodes, ...services, ...many, ...policies].join("\n");
    const found = load(text.replace("10.42.11.0/24", "10.42.11.0/29")).problems.map(describeProblem);
    expect(found).toEqual([
      'm:7:60: error: the range 10.42.11.0/29 has 6 addresses for the 8 services of node "web1"; allowed: a wider range',
    ]);
  });
});

describe("the name of an endpoint", () => {
  it("must fit into DNS", () => {
    const zone = ["z".repeat(54), ...Array.from({ length: 3 }, () => "z".repeat(60))].join(".");
    const more = `  long-service: { nodes: [web1], user: long, unit: long.service }`;
    const text = [section, ...nodes, ...services, more, ...policies, `dns: { zone: ${zone} }`].join("\n");
    expect(load(text).problems.map(describeProblem)).toEqual([
      expect.stringMatching(
        /^m:12:3: error: "web1\.long-service\.z+\.\.\." is 255 long; allowed: at most 253/,
      ),
    ]);
  });
});

describe("what Cilium cannot carry is a problem of such a mesh", () => {
  it.each([
    ["defaults: { mode: audit }", /^m:15:19: error: Cilium 1\.18 tries out nothing .*; allowed: /],
    [
      "baseline: { inbound: deny, allow: [{ from: [any], ports: [22/tcp] }] }",
      /^m:15:22: error: the baseline closes node "web1"/,
    ],
    [
      "guard: { admin: [192.0.2.1], ports: [8080/tcp] }",
      /^m:10:\d+: error: port 8080\/tcp is a guard port, too/,
    ],
  ])("%s", (more, expected) => {
    const text = `${lines.join("\n")}\n${more}`;
    const { mesh, problems: found } = load(text);
    expect(mesh).toBeUndefined();
    expect(found.map(describeProblem)).toContainEqual(expect.stringMatching(expected));
    const plain = text.replaceAll(/, enforcement: cilium, range: [0-9./]+/g, "");
    expect(load(plain).mesh).toBeDefined();
  });

  it("also where policies meet: two instances with one identity", () => {
    const text = lines
      .join("\n")
      .replace("api: { nodes: [api1]", "api: { nodes: [api1, web1]")
      .replace("http: 8080/tcp } }\npol", "http: 8081/tcp } }\npol");
    expect(load(text).problems).toEqual([]);
    const found = load(text.replace("from: [node:hub]", "from: [node:api1]")).problems.map(describeProblem);
    expect(found).toEqual([
      expect.stringMatching(/^m:14:\d+: error: service "web" is not reached alike by the instances of "api"/),
    ]);
  });
});
