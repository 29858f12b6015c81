// `mode: audit` on real kernels: what a policy on trial would refuse passes and is counted under its name, while every
// other policy refuses. From the packet to the line of `weft denials`.
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { namedFlows } from "../../packages/coordinator/src/explain/named-flows.ts";
import { Observations } from "../../packages/coordinator/src/fleet/observations.ts";
import { NodeMemory } from "../support/node-memory.ts";
import { compileText, nodes, PolicyNet, services } from "../support/policy-net.ts";

const lab = new PolicyNet();
const { net, address, user } = lab;
const memories = ["hub", "web1", "api1"].map((node) => [node, new NodeMemory(net, node)] as const);
const policies = `policies:
  - { name: web-in, from: [web, shop, { cidr: 10.77.0.64/26 }], to: api }
  - { name: no-shop, from: [shop], to: api, action: deny, mode: audit }
  - { name: no-rogue, from: [{ cidr: 10.77.0.66 }], to: api, ports: [http], action: deny, mode: audit }
  - { name: shop-trial, from: [web], to: shop, mode: audit }
`;

beforeAll(async () => {
  await lab.up();
  for (const [, memory] of memories) await memory.prepare(lab.uids);
}, 300_000);
afterAll(async () => {
  for (const [, memory] of memories) memory.dispose();
  await net.down();
});

it("counts for each policy on trial, and lets pass; the others refuse meanwhile", async () => {
  lab.enforce(policies);
  const [web, shop] = [net.as("web1", user.web), net.as("web1", user.shop)];
  const [mallory, rogue] = [net.as("web1", user.mallory), net.as("rogue", user.root)];
  expect(await web.dial(address.api1.v4, 8080)).toBe("open");
  expect(await shop.dial(address.api1.v4, 8080)).toBe("open");
  expect(await shop.dial(address.api1.v4, 8080)).toBe("open");
  expect(await rogue.dial(address.api1.v4, 8080)).toBe("open");
  expect(await rogue.dial(address.api1.v4, 5300, "udp")).toBe("open");
  expect(await net.as("api1", user.api).dial(address.web1.v4, 8090)).toBe("open");
  expect(await mallory.dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
  expect(await rogue.dial(address.web1.v4, 8080)).toBe("ECONNREFUSED");
  const observations = new Observations();
  for (const [node, memory] of memories)
    for (const told of await memory.tell()) observations.take(node, told, new Date());
  const { mesh, contents } = compileText(
    `weft: v1\nmesh: lab\ntrustDomain: mesh.internal\n${nodes}${services}${policies}`,
  );
  const rows = namedFlows(mesh, contents, observations.all(new Date()))
    .filter(({ kind }) => kind !== "allowed")
    .map(({ kind, source, destination, port, origin, count }) => {
      // connections; at a port that is on trial as a whole every packet counts
      const counted = origin?.policy === "no-shop" ? ` ${count}` : "";
      return `${kind} ${source.name || source.address} -> ${destination.name}:${port} ${origin?.policy}${counted}`;
    });
  expect(new Set(rows)).toEqual(
    new Set([
      "audited 10.77.0.66 -> api:8080 no-rogue",
      "audited api -> shop:8090 shop-trial",
      "audited shop -> api:8080 no-shop 2",
      "denied 10.77.0.66 -> web:8080 undefined",
      "denied mallory -> api:8080 undefined",
    ]),
  );
}, 120_000);
