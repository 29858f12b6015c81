// An etcd that Weft runs, as it stands in the mesh file: how it is read, and what is wrong with it, each at its line and column.
import { describe, expect, it } from "@jest/globals";
import { lines, load, section } from "../../../../../test/support/cilium/sample-mesh.ts";
import { describeProblem } from "../problem.ts";

const own = "cilium: { etcd: { nodes: [hub] }, ranges: 10.42.0.0/16 }";
const more = ["  etc1: { address: 10.77.0.21 }", "  etc2: { address: 10.77.0.22 }"];
const base = lines
  .join("\n")
  .replace(section, own)
  .replace("nodes:\n", `nodes:\n${more.join("\n")}\n`);

function problems(find: string, put: string, rest = ""): string[] {
  if (!base.includes(find)) throw new Error(`the sample has no ${find}`);
  return load(`${base.replace(find, () => put)}\n${rest}`).problems.map(describeProblem);
}

const choice = "allowed: members: those of an etcd of your own; or nodes: those that run one for the mesh";

describe("an etcd that Weft runs", () => {
  it("is read as the nodes that run it", () => {
    const { mesh, problems: found } = load(base);
    expect(found).toEqual([]);
    expect(mesh?.cilium).toEqual({ etcd: { nodes: ["hub"] }, ranges: "10.42.0.0/16" });
    expect(problems("[hub]", "[hub, etc1, etc2]")).toEqual([]);
  });

  it("is part of the mesh as a service with policies of its own, at its line", () => {
    const { mesh } = load(base.replace("[hub]", "[hub, etc1, etc2]"));
    expect(mesh?.services.at(-1)).toMatchObject({
      name: "weft-etcd",
      nodes: ["hub", "etc1", "etc2"],
      user: "weft-etcd",
      unit: "weft-etcd.service",
      ports: [
        { name: "clients", range: { protocol: "tcp", from: 2379, to: 2379 } },
        { name: "members", range: { protocol: "tcp", from: 2380, to: 2380 } },
      ],
      mtls: "app",
      place: { file: "m", line: 4, column: 17 },
    });
    const own = mesh?.policies.slice(-2).map(({ name, from, to, ports, mode, place }) => ({
      name,
      from: from.map((each) => ("name" in each ? `${each.kind}:${each.name}` : each.kind)),
      to: to.map((each) => ("name" in each ? each.name : each.kind)),
      ports,
      mode,
      line: place.line,
    }));
    expect(own).toEqual([
      {
        name: "weft-etcd-clients",
        from: ["node:web1", "node:api1", "node:hub", "node:etc1", "node:etc2"],
        to: ["weft-etcd"],
        ports: ["clients"],
        mode: "enforce",
        line: 4,
      },
      {
        name: "weft-etcd-members",
        from: ["service:weft-etcd"],
        to: ["weft-etcd"],
        ports: ["members"],
        mode: "enforce",
        line: 4,
      },
    ]);
  });

  it("of one member has nobody at its members' port", () => {
    const names = load(base).mesh?.policies.map(({ name }) => name);
    expect(names).toContain("weft-etcd-clients");
    expect(names).not.toContain("weft-etcd-members");
  });

  it("is nothing where the operator runs one", () => {
    const { mesh } = load(lines.join("\n"));
    expect(mesh?.services.map(({ name }) => name)).toEqual(["web", "api"]);
    expect(mesh?.policies.map(({ name }) => name)).toEqual(["to-api", "to-web"]);
  });
});

describe("what is wrong with it", () => {
  it.each<readonly [string, string, string, readonly string[]]>([
    [
      "both",
      "nodes: [hub]",
      "nodes: [hub], members: [https://h:2379]",
      [`m:4:26: error: "members" and "nodes" are both given; ${choice}`],
    ],
    ["neither", "nodes: [hub]", "", [`m:4:17: error: "etcd" says neither "members" nor "nodes"; ${choice}`]],
    [
      "a misspelt key",
      "nodes: [hub]",
      "node: [hub]",
      [
        'm:4:19: error: unknown key "node"; allowed: nodes, members, ca, certificate, key; did you mean "nodes"?',
      ],
    ],
    [
      "no list",
      "nodes: [hub]",
      "nodes: hub",
      ['m:4:26: error: "nodes" is the text "hub"; allowed: a list; did you mean "[hub]"?'],
    ],
    ["no node", "[hub]", "[]", ['m:4:26: error: "nodes" is empty; allowed: at least one']],
    [
      "files beside it",
      "nodes: [hub]",
      "nodes: [hub], ca: /etc/ca.pem, key: /etc/key.pem",
      [
        'm:4:37: error: "ca" is of no use to an etcd that Weft runs: its nodes have certificates of the mesh; allowed: nodes alone',
        'm:4:55: error: "key" is of no use to an etcd that Weft runs: its nodes have certificates of the mesh; allowed: nodes alone',
      ],
    ],
    ["an unknown node", "[hub]", "[hbu]", ['m:4:27: error: there is no node "hbu"; did you mean "hub"?']],
    [
      "a node twice",
      "[hub]",
      "[hub, etc1, hub]",
      [
        "m:4:26: warning: 2 members of etcd survive no more failures than 1; allowed: one, three or five",
        'm:4:38: error: node "hub" is named twice for etcd',
      ],
    ],
    [
      "an even number",
      "[hub]",
      "[hub, etc1]",
      ["m:4:26: warning: 2 members of etcd survive no more failures than 1; allowed: one, three or five"],
    ],
    [
      "a node with Cilium",
      "[hub]",
      "[web1]",
      [
        'm:4:27: error: node "web1" enforces with Cilium, which would need this etcd to begin with; ' +
          "allowed: etcd runs on nodes that enforce with nftables",
      ],
    ],
    [
      "a node with Cilium and without names",
      "range: 10.42.11.0/24 }",
      "range: 10.42.11.0/24, dns: { mode: off } }",
      [
        'm:9:88: error: node "web1" with Cilium has no names (dns mode off), and finds the members of etcd by their names; ' +
          "allowed: auto, resolved-link or file; or cilium.etcd.members",
      ],
    ],
    [
      "a service of that name",
      "  web: {",
      "  weft-etcd: { nodes: [hub], user: x }\n  web: {",
      ['m:12:3: error: "weft-etcd" is no service name: an etcd that Weft runs has it'],
    ],
    [
      "a service of that user",
      "user: web",
      "user: weft-etcd",
      [
        'm:12:31: error: service "web" cannot run as weft-etcd: an etcd that Weft runs has that user; ' +
          "allowed: a static user of the service's own",
      ],
    ],
    [
      "a policy of that name",
      "name: to-web",
      "name: weft-etcd-members",
      ['m:16:13: error: "weft-etcd-members" is no policy name: a policy of an etcd that Weft runs has it'],
    ],
    [
      "a policy that opens it",
      "from: [web], to: api",
      "from: [web], to: weft-etcd",
      [
        'm:13:3: warning: no policy lets anybody reach service "api": its ports are closed to all',
        'm:15:38: error: there is no service "weft-etcd"',
      ],
    ],
    [
      "a service on its ports",
      "  web: {",
      "  kv: { nodes: [etc1, hub], user: kv, ports: { all: 2300-2400/tcp } }\n  web: {",
      [
        'm:12:3: warning: no policy lets anybody reach service "kv": its ports are closed to all',
        'm:12:53: error: port 2300-2400/tcp of service "kv" takes 2379/tcp on node "hub", ' +
          "where a member of the mesh's own etcd has it; allowed: another port, or another node",
      ],
    ],
  ])("%s", (_what, find, put, expected) => {
    expect(problems(find, put)).toEqual(expected);
  });

  it.each<readonly [string, (text: string) => string, string]>([
    [
      "a member with an IPv6 address",
      (text) => text.replace("[hub]", "[etc1]").replace("10.77.0.21", '"fd77::21"'),
      'm:4:27: error: node "etc1" has the IPv6 address fd77::21, and nodes with Cilium have IPv4 alone; ' +
        "allowed: nodes with an IPv4 address",
    ],
    [
      "no names anywhere",
      (text) => `${text}\ndns: { mode: off }`,
      'm:17:14: error: node "web1" with Cilium has no names (dns mode off), and finds the members of etcd by their names; ' +
        "allowed: auto, resolved-link or file; or cilium.etcd.members",
    ],
    [
      "a guard port",
      (text) => `${text}\nguard: { admin: [192.0.2.1], ports: [22/tcp, 2380/tcp] }`,
      "m:4:17: warning: port 2380/tcp of the mesh's own etcd is also a guard port: " +
        "the admin ranges reach it whatever the policies say",
    ],
    [
      "a member's name that is in no certificate",
      (text) => text.replace("[hub]", "[et--1]").replace("etc1:", "et--1:"),
      "m:6:3: error: no certificate for etcd can be for et--1.node.mesh.internal; " +
        "allowed: names without -- after their second letter",
    ],
    [
      "a client's",
      (text) => text.replace("web1:", "we--1:").replace("[web1]", "[we--1]"),
      "m:9:3: error: no certificate for etcd can be for we--1.cilium.weft; " +
        "allowed: names without -- after their second letter",
    ],
    [
      "a zone's",
      (text) => `${text}\ndns: { zone: xn--abc.internal }`,
      "m:17:14: error: no certificate of a member of etcd can be for weft-etcd.xn--abc.internal; " +
        "allowed: names without -- after their second letter",
    ],
  ])("%s", (_what, edit, expected) => {
    expect(load(edit(base)).problems.map(describeProblem)).toContain(expected);
  });

  it("is no matter where it does not run", () => {
    const elsewhere = base.replace("web: { nodes: [web1]", "web: { nodes: [etc2]").replace("8080", "2379");
    expect(load(elsewhere).problems).toEqual([]);
    expect(load(lines.join("\n").replace("range: 10.42.11.0/24", "$&, dns: { mode: off }")).problems).toEqual(
      [],
    );
  });
});
