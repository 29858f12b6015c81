import { describe, expect, it } from "@jest/globals";
import { describeProblem } from "../problem.ts";
import { loadMesh } from "../validate.ts";

const nodes =
  "nodes:\n  hub: { address: 10.77.0.10 }\n  web1: { address: 10.77.0.11 }\n  api1: { address: 10.77.0.12 }\n";
const services = `services:
  web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp } }
`;
const policies = `policies:
  - { name: to-api, from: [web], to: api }
  - { name: to-web, from: [api], to: web }
`;
const policy = (fields: string) => `${policies}  - { name: new, ${fields} }\n`;

interface Parts {
  readonly services?: string;
  readonly policies?: string;
  readonly rest?: string;
}

function messages(parts: Parts): string[] {
  const own = [parts.services ?? services, parts.policies ?? policies, parts.rest ?? ""].join("");
  const text = `weft: v1\nmesh: shop\ntrustDomain: mesh.internal\n${nodes}${own}`;
  const { problems } = loadMesh([{ name: "m", text }], { coordinatorNode: "hub" });
  return problems.map((problem) => describeProblem(problem).replace(/^m:\d+:\d+: /, ""));
}

describe("checks of what no service declares", () => {
  it.each<readonly [string, Parts, string]>([
    [
      "a policy called as what has no policy",
      { policies: `${policies}  - { name: baseline, from: [web], to: api }\n` },
      '"baseline" is no policy name',
    ],
    [
      "a port called icmp",
      { services: `${services}  new: { nodes: [hub], user: new, ports: { icmp: 9100/tcp } }\n` },
      '"icmp" is no port name: under ports of a policy it stands for ping',
    ],
    [
      "a node opened for more than ping",
      { policies: policy("from: [web], to: node:hub, ports: [8080/tcp, icmp]") },
      "a policy cannot open a whole node",
    ],
    [
      "ping outside the mesh",
      { policies: policy("from: [web], to: { cidr: 192.0.2.0/24 }, ports: [icmp]") },
      "ping is judged where it arrives",
    ],
    [
      "a baseline that shuts SSH to all",
      { rest: "baseline: { inbound: deny, allow: [{ from: [any], ports: [9100/tcp] }] }\n" },
      "this closes SSH on hub, web1, api1 to everybody: no guard keeps a way in",
    ],
    [
      "a baseline with administrators who reach no port",
      { rest: "guard: { admin: [192.0.2.0/28], ports: [] }\nbaseline: { inbound: deny }\n" },
      "this closes SSH on hub, web1, api1 to everybody",
    ],
    [
      "a baseline for a node that is none",
      { rest: "baseline: [{ nodes: [wbe1], allow: [{ from: [any], ports: [22/tcp] }] }]\n" },
      'there is no node "wbe1"; did you mean "web1"?',
    ],
    [
      "a baseline that says nothing",
      { rest: "baseline: [{ nodes: [web1] }]\n" },
      "neither closes nor allows",
    ],
    [
      "a mode without anything closed",
      { rest: "baseline: [{ mode: audit, allow: [{ from: [any], ports: [22/tcp] }] }]\n" },
      "mode says how ports are closed",
    ],
    [
      "a baseline from a service",
      { rest: "baseline: [{ inbound: deny, allow: [{ from: [web], ports: [22/tcp] }] }]\n" },
      '"web" is no source',
    ],
    [
      "a baseline that is a word",
      { rest: "baseline: deny\n" },
      '"baseline" is the text "deny"; allowed: { nodes, inbound: deny, mode, allow }, or a list of such entries',
    ],
  ])("refuse %s", (_what, parts, message) => {
    expect(messages(parts).some((text) => text.startsWith("error: ") && text.includes(message))).toBe(true);
  });

  it.each([
    ["a guard", "guard: { admin: [192.0.2.0/28] }\nbaseline: { inbound: deny }\n"],
    [
      "an allowance",
      "baseline: { inbound: deny, allow: [{ from: [{ cidr: 192.0.2.0/28 }], ports: [20-30/tcp] }] }\n",
    ],
    ["its being on trial", "baseline: { inbound: deny, mode: audit }\n"],
  ])("let a baseline close SSH with %s", (_what, rest) => {
    expect(messages({ rest })).toEqual([]);
  });

  it("warn of what a baseline allows in vain", () => {
    const rest =
      "guard: { admin: [192.0.2.0/28] }\n" +
      "baseline:\n  - { nodes: [hub], inbound: deny, allow: [{ from: [{ cidr: 10.77.0.0/24 }], ports: [icmp] }] }\n" +
      "  - { nodes: [web1], allow: [{ from: [any], ports: [icmp] }] }\n";
    expect(messages({ rest })).toEqual([
      "warning: 10.77.0.0/24 covers mesh nodes (hub, web1, api1): a CIDR grants nothing to them; allowed: nodes by name, or any",
      "warning: this allows what is open: on none of its nodes a baseline says inbound: deny",
    ]);
  });
});
