// The law of refusals: with every set that the kernel fills full to its last element, whoever is not named by the policy
// is refused, over IPv4, IPv6 and link-local addresses, TCP and UDP: strangers, local users, services that share a
// machine, containers behind a bridge with masquerade, containers in the host's network, and whoever asks for a
// published port, from outside or from the machine itself. Who is named passes. Expected verdicts are written by hand.
// 300 refused attempts against small sets; WEFT_LONG=1: 10,000 against sets of their real size (65,536 elements and more).
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { renderRemoval } from "../../packages/shared/src/render/nftables.ts";
import { addBridge, linkLocal } from "../support/container-bridge.ts";
import { fillSets, roomLeft } from "../support/full-sets.ts";
import type { Traffic } from "../support/kernel-net.ts";
import { PolicyNet } from "../support/policy-net.ts";
import { type Random, randomOf } from "../support/random-mesh.ts";

const long = process.env["WEFT_LONG"] === "1";
const wanted = long ? 10_000 : 300;
const smallSet = 256;
const seed = 5005;

const lab = new PolicyNet();
const { net, address, user } = lab;

const mesh = `
nodes: { hub: { address: 10.77.0.10 }, web1: { address: 10.77.0.11 }, api1: { address: 10.77.0.12 } }
services:
  web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp, feed: 5300/udp, tls: 8443/tcp } }
  shop: { nodes: [web1], user: shop, ports: { shop: 8090/tcp } }
policies:
  - { name: web-to-api, from: [web], to: api }
  - { name: shop-to-web, from: [shop], to: web }
  - { name: api-to-itself, from: [api], to: api, ports: [tls] }
  - { name: pets, from: [{ cidr: 172.30.1.128/25 }], to: api, ports: [http] }
`;

type Kind = "v4" | "v6" | "link-local";
interface Attempt {
  readonly name: string;
  readonly from: () => Traffic;
  readonly to: string;
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  readonly passes: boolean;
}

const sources: Readonly<Record<string, () => Traffic>> = {
  "a stranger": () => net.as("rogue", user.root),
  "mallory@web1": () => net.as("web1", user.mallory),
  "root@web1": () => net.as("web1", user.root),
  "web@web1": () => net.as("web1", user.web),
  "shop@web1": () => net.as("web1", user.shop),
  "container of mallory in web1's network": () => net.asContained("web1", user.mallory),
  "container of root in web1's network": () => net.asContained("web1", user.root),
  "container of web in web1's network": () => net.asContained("web1", user.web),
  "container on web1": () => net.as("cage", user.root),
  "named container on web1": () => net.as("pet", user.web),
  "mallory@api1": () => net.as("api1", user.mallory),
  "api@api1": () => net.as("api1", user.api),
  "root@api1": () => net.as("api1", user.root),
};
const onHosts = (source: string) => !source.startsWith("container on") && !source.startsWith("named");

const targets: readonly (readonly ["web1" | "api1", number, "tcp" | "udp"])[] = [
  ["web1", 8080, "tcp"],
  ["web1", 8090, "tcp"],
  ["api1", 8080, "tcp"],
  ["api1", 5300, "udp"],
  ["api1", 8443, "tcp"],
];

/** From the policy above, by hand. Link-local and IPv6 addresses are nobody's in it. */
function isNamed(source: string, host: string, port: number, kind: Kind): boolean {
  if (kind !== "v4") return false;
  // a process of the user counts as the service, whatever else is its own
  if (source === "web@web1" || source === "container of web in web1's network") return host === "api1";
  if (source === "shop@web1") return host === "web1" && port === 8080;
  if (source === "api@api1") return host === "api1" && port === 8443;
  return source === "named container on web1" && host === "api1" && port === 8080;
}

let attempts: readonly Attempt[];
/** To the enrolment port, which is open to all while there is room to count them. */
let newcomers: readonly Attempt[];

function everyAttempt(): Attempt[] {
  const at = (host: "web1" | "api1", kind: Kind) =>
    kind === "link-local" ? linkLocal(net, host) : address[host][kind];
  const found: Attempt[] = [];
  for (const [source, from] of Object.entries(sources))
    for (const [host, port, protocol] of targets)
      for (const kind of ["v4", "v6", "link-local"] as const) {
        // published by DNAT, which has nowhere to lead from a link-local address; a container has another link
        if (kind === "link-local" && (port === 8443 || !onHosts(source))) continue;
        found.push({
          name: `${source} -> ${host}:${port}/${protocol} ${kind}`,
          from,
          to: at(host, kind),
          port,
          protocol,
          passes: isNamed(source, host, port, kind),
        });
      }
  const gates = ["172.30.1.1", "fd30:1::1", linkLocal(net, "web1", "bridge0")];
  for (const to of gates)
    for (const source of ["container on web1", "named container on web1"])
      for (const port of [8080, 8090])
        found.push({
          name: `${source} -> ${to}:${port}/tcp, its own host`,
          from: sources[source] as () => Traffic,
          to,
          port,
          protocol: "tcp",
          passes: false,
        });
  for (const to of ["172.30.2.1", "fd30:2::1"])
    found.push({
      name: `mallory@api1 -> ${to}:8443, published at another address of the node`,
      from: () => net.as("api1", user.mallory),
      to,
      port: 8443,
      protocol: "tcp",
      passes: false,
    });
  for (const port of [7443, 8081]) found.push(...strangerAtHub(port));
  for (const port of [7443, 7444])
    found.push({
      name: `a node -> hub:${port}`,
      from: () => net.as("web1", user.root),
      to: address.hub.v4,
      port,
      protocol: "tcp",
      passes: true,
    });
  return found;
}

function strangerAtHub(port: number): Attempt[] {
  return [address.hub.v4, address.hub.v6, linkLocal(net, "hub")].map((to) => ({
    name: `a stranger -> hub:${port} ${to}`,
    from: () => net.as("rogue", user.root),
    to,
    port,
    protocol: "tcp",
    passes: false,
  }));
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  return list
    .map((item) => [random.below(2 ** 30), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);
}

interface Outcome {
  readonly attempt: Attempt;
  readonly seen: string;
}

/** Every process at its own pace, all of them at once. */
async function tryAll(list: readonly Attempt[]): Promise<Outcome[]> {
  return Promise.all(
    list.map(async (attempt) => ({
      attempt,
      seen: await attempt.from().dial(attempt.to, attempt.port, attempt.protocol),
    })),
  );
}

const wrong = (outcomes: readonly Outcome[]) => [
  ...new Set(
    outcomes
      .filter(({ attempt, seen }) => (seen === "open") !== attempt.passes)
      .map(({ attempt, seen }) => `${attempt.name}: ${seen}`),
  ),
];

beforeAll(async () => {
  await lab.up();
  addBridge(net, "web1", { net4: "172.30.1", net6: "fd30:1", containers: { cage: 2, pet: 130 } });
  addBridge(net, "api1", {
    net4: "172.30.2",
    net6: "fd30:2",
    containers: { crate: 2 },
    published: { port: 8443, container: 2, target: 80 },
  });
  await net.as("crate", user.root).listen(80);
  attempts = everyAttempt();
  newcomers = strangerAtHub(7444);
}, 300_000);
afterAll(() => net.down());

describe("refusals", () => {
  it("are the rules' doing: without them every attempt gets its answer", async () => {
    lab.clear();
    const closed = (await tryAll(attempts)).filter(({ seen }) => seen !== "open");
    expect(closed.map(({ attempt, seen }) => `${attempt.name}: ${seen}`)).toEqual([]);
  }, 120_000);

  it("equal the policy while the kernel has room", async () => {
    lab.enforce("", mesh);
    expect(wrong(await tryAll(attempts))).toEqual([]);
  }, 120_000);

  it(
    `equal it with every set full (${wanted} refused attempts)`,
    async () => {
      const contents = lab.enforce("", mesh);
      const full: Record<string, number> = {};
      for (const [node, content] of contents) {
        if (!long) {
          const script = lab.script(content).replaceAll(/\bsize \d+;/g, `size ${smallSet};`);
          net.nft(node, renderRemoval() + script);
        }
        full[node] = fillSets(net, node).length;
        expect(roomLeft(net, node)).toEqual([]);
      }
      const random = randomOf(seed);
      const byKind: Record<string, number> = {};
      let refused = 0;
      const began = performance.now();
      while (refused < wanted) {
        const batch = shuffled(random, [...attempts, ...newcomers]).slice(0, wanted - refused);
        const outcomes = await tryAll(batch);
        expect(wrong(outcomes)).toEqual([]);
        for (const { attempt, seen } of outcomes) {
          if (attempt.passes) continue;
          refused++;
          byKind[seen] = (byKind[seen] ?? 0) + 1;
        }
      }
      for (const node of contents.keys()) expect(roomLeft(net, node)).toEqual([]);
      process.stderr.write(
        `${refused} refused attempts of ${attempts.filter(({ passes }) => !passes).length} kinds in ` +
          `${((performance.now() - began) / 1000).toFixed(1)} s, none passed: ${JSON.stringify(byKind)}; ` +
          `full sets: ${JSON.stringify(full)}\n`,
      );
    },
    long ? 3_600_000 : 120_000,
  );
});
