// Mesh files, compiled and rendered, loaded into real kernels, and judged by real connections: hosts in network
// namespaces, processes of real uids, IPv4 and IPv6, TCP and UDP. Expected verdicts are written by hand.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { digestOf } from "../../packages/shared/src/plan/canonical.ts";
import { renderNftables, renderRemoval } from "../../packages/shared/src/render/nftables.ts";
import { compile, nodes, PolicyNet, services } from "../support/policy-net.ts";

const lab = new PolicyNet();
const { net, address, user } = lab;
const enforce = lab.enforce.bind(lab);
const elements = lab.elements.bind(lab);

const webToApi = "policies:\n  - { name: web-to-api, from: [web], to: api }\n";

beforeAll(() => lab.up(), 300_000);
afterAll(() => net.down());
beforeEach(() => lab.clear());

describe("services", () => {
  it("are open to everybody before the first load: what follows is the rules' doing", async () => {
    expect(await net.as("rogue", 0).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("rogue", 0).dial(address.api1.v6, 8080)).toBe("open");
    expect(await net.as("web1", user.mallory).dial(address.api1.v4, 5300, "udp")).toBe("open");
  });

  it("are reached by the users a policy names and by nobody else", async () => {
    enforce(webToApi);
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("web1", user.web).dial(address.api1.v4, 5300, "udp")).toBe("open");
    expect(await net.as("web1", user.mallory).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.mallory).dial(address.api1.v4, 5300, "udp")).not.toBe("open");
    expect(await net.as("web1", user.root).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.shop).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("api1", user.api).dial(address.web1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 5300, "udp")).not.toBe("open");
  });

  it("are closed over IPv6, too, which the mesh file does not even mention", async () => {
    enforce(webToApi);
    expect(await net.as("rogue", user.root).dial(address.api1.v6, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("rogue", user.root).dial(address.api1.v6, 5300, "udp")).not.toBe("open");
    expect(await net.as("web1", user.web).dial(address.api1.v6, 8080)).toBe("ECONNREFUSED");
  });

  it("are refused by the sender's own kernel, which says who was refused", async () => {
    enforce(webToApi);
    await net.as("web1", user.mallory).dial(address.api1.v4, 8080);
    expect(elements("web1", "denied_out4")).toMatch(/10\.77\.0\.12 \. tcp \. 8080 \. 2666 counter packets 1/);
    expect(elements("api1", "denied_in4")).not.toContain("10.77.0.11");
    await net.as("rogue", user.root).dial(address.api1.v4, 8080);
    expect(elements("api1", "denied_in4")).toMatch(/10\.77\.0\.66 \. tcp \. 8080 counter packets 1/);
  });

  it("leave undeclared ports, loopback and everything outside as they were", async () => {
    enforce(webToApi);
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 9999)).toBe("open");
    expect(await net.as("web1", user.mallory).dial(address.api1.v4, 9999)).toBe("open");
    expect(await net.as("web1", user.web).dial(address.rogue.v4, 9999)).toBe("open");
    expect(await net.as("web1", user.mallory).dial("127.0.0.1", 8080)).toBe("open");
    expect(await net.as("web1", user.mallory).dial("::1", 8080)).toBe("open");
  });

  it("on one node are judged by user at the host's own address", async () => {
    enforce("policies:\n  - { name: shop-to-web, from: [shop], to: web }\n");
    expect(await net.as("web1", user.shop).dial(address.web1.v4, 8080)).toBe("open");
    expect(await net.as("web1", user.mallory).dial(address.web1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.mallory).dial(address.web1.v6, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.web).dial(address.web1.v4, 8090)).toBe("ECONNREFUSED");
  });

  it("mean nobody while their user does not exist", async () => {
    for (const [node, content] of compile(webToApi))
      net.nft(
        node,
        renderNftables({ content, revision: 1, digest: digestOf(content), uids: new Map([["web", 0]]) }),
      );
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.root).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
  });

  it("work the same in a mesh of IPv6 addresses", async () => {
    const head = nodes.replaceAll("10.77.0.", "fd77::") + services;
    enforce(webToApi, head);
    expect(await net.as("web1", user.web).dial(address.api1.v6, 8080)).toBe("open");
    expect(await net.as("web1", user.web).dial(address.api1.v6, 5300, "udp")).toBe("open");
    expect(await net.as("web1", user.mallory).dial(address.api1.v6, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("rogue", user.root).dial(address.api1.v6, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(elements("api1", "denied_in6")).toMatch(/fd77::66 \. tcp \. 8080 counter packets 1/);
  });
});

describe("policies", () => {
  it("deny wins over allow, for a service, a node and a range, in any order", async () => {
    for (const from of ["web", "node:web1", "{ cidr: 10.77.0.0/28 }"]) {
      enforce(`policies:
  - { name: a-deny, from: [${from}], to: api, ports: [http], action: deny }
  - { name: web-to-api, from: [web], to: api }
`);
      expect([from, await net.as("web1", user.web).dial(address.api1.v4, 8080)]).toEqual([
        from,
        "ECONNREFUSED",
      ]);
      expect([from, await net.as("web1", user.web).dial(address.api1.v4, 5300, "udp")]).toEqual([
        from,
        "open",
      ]);
    }
  });

  it("deny for one service leaves another at the same address its allowance", async () => {
    enforce(`policies:
  - { name: no-web, from: [web], to: api, action: deny }
  - { name: all-front, from: [{ labels: { tier: front } }, web], to: api, ports: [8080/tcp] }
`);
    expect(await net.as("web1", user.shop).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
  });

  it("deny cuts a hole into a range, and a service out of its node", async () => {
    enforce(`policies:
  - { name: stranger, from: [{ cidr: 10.77.0.66 }], to: api, ports: [http], action: deny }
  - { name: no-web, from: [web], to: api, ports: [http], action: deny }
  - { name: strangers, from: [{ cidr: 10.77.0.64/27 }, node:web1], to: api }
`);
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 5300, "udp")).toBe("open");
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.mallory).dial(address.api1.v4, 8080)).toBe("open");
  });

  it("deny holds where everything else is only counted, and on the way out of the mesh, too", async () => {
    const trial = "  - { name: trial, from: [web, shop], to: api, mode: audit }\n";
    enforce(`policies:\n${trial}  - { name: no-web, from: [web], to: api, action: deny }\n`);
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.mallory).dial(address.api1.v4, 8080)).toBe("open");
    enforce(`${webToApi}  - { name: no-out, from: [web], to: { cidr: 10.77.0.0/28 }, action: deny }\n`);
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
  });

  it("name a node for any of its processes", async () => {
    enforce("policies:\n  - { name: hub, from: [node:hub], to: api, ports: [http] }\n");
    expect(await net.as("hub", user.mallory).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("hub", user.root).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("hub", user.root).dial(address.api1.v4, 5300, "udp")).not.toBe("open");
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
  });

  it("name a range for what is outside the mesh, never for a node inside it", async () => {
    enforce("policies:\n  - { name: net, from: [{ cidr: 10.77.0.0/24 }], to: api }\n");
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("hub", user.root).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    // the receiver alone: the hub's own rules are taken away
    net.nft("hub", renderRemoval());
    expect(await net.as("hub", user.root).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
  });

  it("in audit count and let pass", async () => {
    enforce("policies:\n  - { name: web-to-api, from: [web], to: api, mode: audit }\n");
    expect(await net.as("web1", user.mallory).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("open");
    expect(elements("web1", "audited_out4")).toMatch(/10\.77\.0\.12 \. tcp \. 8080 \. 2666/);
    expect(elements("api1", "audited_in4")).toMatch(/10\.77\.0\.66 \. tcp \. 8080/);
    expect(await net.as("rogue", user.root).dial(address.web1.v4, 8080)).toBe("ECONNREFUSED");
  });

  it("deny in audit counts what it would refuse", async () => {
    enforce(`policies:
  - { name: no-web, from: [web], to: api, action: deny, mode: audit }
  - { name: no-rogue, from: [{ cidr: 10.77.0.66 }], to: api, action: deny, mode: audit }
  - { name: allow, from: [web, { cidr: 10.77.0.64/27 }], to: api }
`);
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("open");
    expect(elements("web1", "audited_out4")).toMatch(/10\.77\.0\.12 \. tcp \. 8080 \. 2001/);
    expect(elements("api1", "audited_in4")).toMatch(/10\.77\.0\.66 \. tcp \. 8080/);
  });

  it("egress: deny holds services to what policies name, and nobody else", async () => {
    const closed = "defaults: { egress: deny }\n";
    enforce(webToApi + closed);
    expect(await net.as("web1", user.web).dial(address.rogue.v4, 9999)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.web).dial(address.rogue.v6, 9999)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("web1", user.web).dial(address.api1.v4, 9999)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.mallory).dial(address.rogue.v4, 9999)).toBe("open");
    enforce(
      `${webToApi}  - { name: out, from: [web], to: { cidr: 10.77.0.0/24 }, ports: [9999/tcp] }\n${closed}`,
    );
    expect(await net.as("web1", user.web).dial(address.rogue.v4, 9999)).toBe("open");
    // 10.77.0.12 is a mesh address: no range grants it
    expect(await net.as("web1", user.web).dial(address.api1.v4, 9999)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.shop).dial(address.rogue.v4, 9999)).toBe("ECONNREFUSED");
    enforce(`${webToApi}  - { name: no-out, from: [web], to: { cidr: 10.77.0.66 }, action: deny }\n`);
    expect(await net.as("web1", user.web).dial(address.rogue.v4, 9999)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.shop).dial(address.rogue.v4, 9999)).toBe("open");
  });
});
