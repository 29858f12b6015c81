import { describe, expect, it } from "@jest/globals";
import { describeProblem } from "./problem.ts";
import { loadMesh } from "./validate.ts";

const nodes =
  "nodes:\n  hub: { address: 10.77.0.10 }\n  web1: { address: 10.77.0.11 }\n  api1: { address: 10.77.0.12 }\n";
const services = `services:
  web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp, many: 9000-9010/tcp } }
`;
const policies = `policies:
  - { name: to-api, from: [web], to: api }
  - { name: to-web, from: [api], to: web }
`;

interface Parts {
  readonly domain?: string;
  readonly nodes?: string;
  readonly services?: string;
  readonly policies?: string;
  readonly rest?: string;
}

function load(parts: Parts) {
  const text = [
    "weft: v1\nmesh: shop\n",
    `trustDomain: ${parts.domain ?? "mesh.internal"}\n`,
    parts.nodes ?? nodes,
    parts.services ?? services,
    parts.policies ?? policies,
    parts.rest ?? "",
  ].join("");
  return loadMesh([{ name: "m", text }], { coordinatorNode: "hub" });
}

function messages(parts: Parts): string[] {
  return load(parts).problems.map((problem) => describeProblem(problem).replace(/^m:\d+:\d+: /, ""));
}

describe("checks of the whole mesh", () => {
  it("find nothing in a mesh that is right", () => {
    expect(messages({})).toEqual([]);
    expect(load({}).mesh?.services).toHaveLength(2);
  });

  const service = (fields: string) => `${services}  new: { nodes: [hub], user: new, ${fields} }\n`;
  const policy = (fields: string) => `${policies}  - { name: new, ${fields} }\n`;
  const errors: readonly (readonly [string, Parts, string])[] = [
    ["no nodes", { nodes: "nodes: {}\n", services: "", policies: "" }, "the mesh has no nodes"],
    ["the hub left out", { nodes: nodes.replace("hub:", "h:") }, 'the mesh leaves out node "hub"'],
    [
      "one address twice",
      { nodes: nodes.replace("0.12", "0.11") },
      'nodes "web1" and "api1" share the address 10.77.0.11',
    ],
    ["a multicast address", { nodes: nodes.replace("10.77.0.12", "224.0.0.1") }, "224.0.0.1 is a multicast"],
    [
      "a mapped address",
      { nodes: nodes.replace("10.77.0.12", '"::ffff:10.0.0.1"') },
      "an IPv4 address written as IPv6",
    ],
    [
      "an unknown node",
      { services: services.replace("[api1]", "[apl1]") },
      'there is no node "apl1"; did you mean "api1"?',
    ],
    [
      "a service called node",
      { services: service("ports: {}").replace("new:", "node:") },
      '"node" is no service name',
    ],
    [
      "a long port name",
      { services: service("ports: { a-very-long-port-name: 80/tcp }") },
      "is no port name",
    ],
    [
      "the SPIRE agent's path",
      { services: service("path: /spire/agent/x509pop/hub") },
      "paths beginning with /spire",
    ],
    ["an exchange path", { services: service("path: /spire-exchange/hub") }, "paths beginning with /spire"],
    ["a node's path", { services: service("path: /weft/node/hub") }, "paths under /weft are Weft's own"],
    [
      "a service called weft",
      { services: service("ports: {}").replace("new:", "weft:") },
      "paths under /weft are Weft's own",
    ],
    ["a shared path", { services: service("path: /api") }, 'services "api" and "new" share the SPIFFE ID'],
    ["root", { services: service("ports: {}").replace("user: new", "user: root") }, "cannot run as root"],
    [
      "a shared user",
      { services: service("ports: {}").replace("[hub], user: new", "[api1], user: api") },
      'share user "api" on node "api1"',
    ],
    [
      "a shared port",
      { services: service("ports: { x: 9010-9020/tcp }").replace("[hub]", "[api1]") },
      "share port 9010-9020/tcp",
    ],
    [
      "a port of its own twice",
      { services: service("ports: { a: 80/tcp, b: 80/tcp }") },
      'ports "a" and "b" of service "new" overlap',
    ],
    [
      "an ephemeral port",
      { services: service("ports: { a: 60000-61000/udp }") },
      "takes ports for outgoing connections",
    ],
    ["the enrolment port", { services: service("ports: { a: 7000-7444/tcp }") }, "needed by the coordinator"],
    ["SPIRE's port", { services: service("ports: { a: 8081/tcp }") }, "needed by the SPIRE server"],
    [
      "the resolver's port",
      { services: service("ports: { a: 53/udp }").replace("[hub]", "[web1]") },
      "needed by the node's resolver",
    ],
    [
      "a policy name twice",
      { policies: `${policies}  - { name: to-api, from: [web], to: api }\n` },
      'policy "to-api" is given twice, first in m:',
    ],
    [
      "an unknown service",
      { policies: policy("from: [wbe], to: api") },
      'there is no service "wbe"; did you mean "web"?',
    ],
    [
      "a node where a service belongs",
      { policies: policy("from: [web1], to: api") },
      'did you mean "node:web1"?',
    ],
    [
      "an unknown node in a policy",
      { policies: policy("from: [node:wbe1], to: api") },
      'there is no node "wbe1"; did you mean "web1"?',
    ],
    [
      "an unknown port",
      { policies: policy("from: [web], to: api, ports: [htpp]") },
      '"api" has no port "htpp"',
    ],
    [
      "a port outside the service's",
      { policies: policy("from: [web], to: api, ports: [9005-9011/tcp]") },
      "declares no port that holds all of 9005-9011/tcp",
    ],
    [
      "a port of the other protocol",
      { policies: policy("from: [web], to: api, ports: [8080/udp]") },
      "declares no port that holds all of 8080/udp",
    ],
    [
      "a policy to a node",
      { policies: policy("from: [web], to: node:api1") },
      "a policy cannot open a whole node",
    ],
    [
      "egress of a node",
      { policies: policy("from: [node:web1], to: { cidr: 198.51.100.0/24 }") },
      "only a service can be let out",
    ],
    [
      "egress to a named port",
      { policies: policy("from: [web], to: { cidr: 198.51.100.0/24 }, ports: [http]") },
      "has no meaning outside the mesh",
    ],
    [
      "two ways at once",
      { policies: policy("from: [web], to: [api, { cidr: 198.51.100.0/24 }]") },
      "cannot have both services and CIDRs",
    ],
    [
      "every service by no label",
      { policies: policy("from: [{ labels: {} }], to: api") },
      "would stand for every service",
    ],
    ["a multicast zone", { rest: "dns: { zone: mesh.local }\n" }, "belongs to multicast DNS"],
    ["a top-level zone", { rest: "dns: { zone: internal }\n" }, 'did you mean "mesh.internal"?'],
    [
      "a looping upstream",
      { rest: "dns: { upstreams: [127.0.0.53] }\n" },
      "127.0.0.53 is a loopback address",
    ],
    [
      "a name too long for DNS",
      { rest: `dns: { zone: ${Array.from({ length: 4 }, () => "z".repeat(58)).join(".")}.xyz }\n` },
      "_http._tcp.web.z",
    ],
  ];
  it.each(errors)("refuse %s", (_what, parts, message) => {
    const found = messages(parts);
    expect(found.filter((text) => text.startsWith("error") && text.includes(message))).toHaveLength(1);
    expect(load(parts).mesh).toBeUndefined();
  });

  const warnings: readonly (readonly [string, Parts, string])[] = [
    ["a service nobody reaches", { policies: "" }, 'no policy lets anybody reach service "web"'],
    [
      "labels nobody has",
      { policies: policy("from: [{ labels: { tier: x } }], to: api") },
      "no service has the labels { tier: x }",
    ],
    [
      "a range over nodes",
      { policies: policy("from: [{ cidr: 10.77.0.0/24 }], to: api") },
      "10.77.0.0/24 covers mesh nodes (hub, web1, api1)",
    ],
    [
      "an admin range over nodes",
      { rest: "guard: { admin: [10.77.0.0/28] }\n" },
      "covers mesh nodes (hub, web1, api1), which are left out",
    ],
    ["a guard without administrators", { rest: "guard: { ports: [22/tcp] }\n" }, "guard.ports does nothing"],
    [
      "a service on a guard port",
      { rest: "guard: { admin: [192.0.2.1], ports: [8080/tcp] }\n" },
      "is also a guard port",
    ],
    [
      "a zone inside the trust domain",
      { rest: "dns: { zone: shop.mesh.internal }\n" },
      "lie inside each other",
    ],
    ["families that do not meet", { nodes: nodes.replace("10.77.0.12", '"fd77::12"') }, "different families"],
  ];
  it.each(warnings)("warn of %s, and go on", (_what, parts, message) => {
    const found = messages(parts);
    expect(found.some((text) => text.startsWith("warning") && text.includes(message))).toBe(true);
    expect(load(parts).mesh).toBeDefined();
  });

  it("say nothing of a node in an admin range that is named by itself", () => {
    const admins = "[10.77.0.8/29, 10.77.0.10, 10.77.0.11, 10.77.0.12]";
    expect(messages({ rest: `guard: { admin: ${admins} }\n` })).toEqual([]);
  });

  it("report what is wrong with the form and with the whole in one run, without consequences", () => {
    const found = messages({
      services: `${services}  bad: { nodes: [web1], user: "Bad!" }\n  odd: { nodes: [wbe1], user: odd, prots: {} }\n`,
      policies: `${policies}  - { name: p, from: [bad, odd, none], to: api, ports: [http] }\n`,
    });
    expect(found).toEqual([
      'error: "Bad!" is no user name; allowed: a local user by name: 1 to 32 of a-z, 0-9, _ and -, beginning with a letter or _',
      'error: there is no node "wbe1"; did you mean "web1"?',
      'error: unknown key "prots"; allowed: nodes, user, unit, ports, mtls, path, labels; did you mean "ports"?',
      'error: there is no service "none"',
    ]);
  });

  it("refuse what this version does not enforce", () => {
    const found = messages({
      services: services.replace("user: api,", "user: api, mtls: transparent,"),
      policies: policy('from: [web], to: api, http: [{ methods: [GET], path: "/v1/**" }]'),
      rest: "defaults: { ingress: allow }\n",
    });
    expect(found.filter((text) => text.includes("not enforced by this version"))).toHaveLength(3);
    expect(found).toHaveLength(3);
  });
});
