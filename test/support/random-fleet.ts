// In: a source of randomness. Out: mesh files of eight nodes, one grown out of the other, valid by construction, and
// connections to try: for tests that compare what is foretold of a change with what becomes of real connections.
import type { Random } from "./random-mesh.ts";

export const fleetNodes = ["hub", "n1", "n2", "n3", "n4", "n5", "n6", "n7"] as const;
/** No nodes; the last is in the admin range. */
export const strangers = ["rogue", "admin"] as const;
export type FleetHost = (typeof fleetNodes)[number] | (typeof strangers)[number];

const lastByte = (host: FleetHost): number =>
  host === "rogue" ? 66 : host === "admin" ? 72 : 10 + fleetNodes.indexOf(host);
export const addressOf = (host: FleetHost, family: "v4" | "v6"): string =>
  `${family === "v4" ? "10.77.0." : "fd77::"}${lastByte(host)}`;
export const fleetHosts = Object.fromEntries(
  [...fleetNodes, ...strangers].map((host) => [
    host,
    { v4: addressOf(host, "v4"), v6: addressOf(host, "v6") },
  ]),
) as Readonly<Record<FleetHost, { readonly v4: string; readonly v6: string }>>;

/** The service sN runs as the user uN. */
const services = [1, 2, 3, 4, 5] as const;
export const userOfService = (service: string): string => service.replace("s", "u");
export const fleetUsers: ReadonlyMap<string, number> = new Map([
  ...services.map((index) => [`u${index}`, 2000 + index] as const),
  ["mallory", 2666],
  ["root", 0],
]);

interface Service {
  readonly index: number;
  readonly nodes: readonly string[];
  /** Empty: none. */
  readonly tier: string;
  /** Beside its first port. */
  readonly hasFeed: boolean;
  readonly hasMore: boolean;
}

export interface Fleet {
  readonly family: "v4" | "v6";
  readonly services: readonly Service[];
  readonly policies: readonly string[];
  readonly egress: string;
  readonly mode: string;
  readonly guard: string;
  /** Empty: none. */
  readonly baseline: string;
}

const cidrs = [
  "10.77.0.66",
  "10.77.0.0/24",
  "10.77.0.64/26",
  "10.77.0.72/29",
  "0.0.0.0/0",
  "fd77::/64",
  "fd77::66",
];
const cidr = (text: string): string => `{ cidr: "${text}" }`;

function someNodes(random: Random): string[] {
  const count = 1 + random.below(3);
  return [...new Set(Array.from({ length: count }, () => random.pick(fleetNodes)))];
}

function randomService(random: Random, index: number): Service {
  return {
    index,
    nodes: someNodes(random),
    tier: random.pick(["front", "back", ""]),
    hasFeed: random.chance(50),
    hasMore: random.chance(40),
  };
}

/** Everything of a policy but its name. */
function randomPolicy(random: Random): string {
  const service = () => `s${1 + random.below(services.length)}`;
  const outside = random.chance(12);
  const sender = () => {
    if (!outside && random.chance(25)) return cidr(random.pick(cidrs));
    if (!outside && random.chance(20)) return `node:${random.pick(fleetNodes)}`;
    return random.chance(15) ? "{ labels: { tier: front } }" : service();
  };
  const from = [...new Set([sender(), sender(), sender()])];
  const deny = random.chance(22);
  const parts = [`from: [${from.join(", ")}]`];
  if (outside) parts.push(`to: ${cidr(random.pick(["10.77.0.64/26", "fd77::/64"]))}, ports: [9999/tcp]`);
  else parts.push(`to: ${random.chance(15) ? "{ labels: { tier: front } }" : service()}`);
  if (!outside && random.chance(15)) parts.push("ports: [main]");
  if (deny) parts.push("action: deny");
  if (random.chance(15) && !(outside && !deny)) parts.push("mode: audit");
  return parts.join(", ");
}

const randomGuard = (random: Random): string =>
  random.pick([
    "{ admin: [10.77.0.72/29], ports: [22/tcp] }",
    '{ admin: [10.77.0.72/29, "fd77::/64"], ports: [22/tcp, 8081/tcp] }',
    "{ admin: [], ports: [22/tcp] }",
  ]);

const randomBaseline = (random: Random): string =>
  random.pick([
    "",
    "",
    "",
    "baseline: { inbound: deny }\n",
    "baseline: { inbound: deny, mode: audit }\n",
    "baseline: { inbound: deny, allow: [{ from: [any], ports: [9999/tcp] }] }\n",
    "baseline: [{ nodes: [n1, n2, n3], inbound: deny }]\n",
  ]);

export function randomFleet(random: Random): Fleet {
  return {
    family: random.chance(75) ? "v4" : "v6",
    services: services.map((index) => randomService(random, index)),
    policies: Array.from({ length: 4 + random.below(6) }, () => randomPolicy(random)),
    egress: random.pick(["allow", "allow", "deny"]),
    mode: random.pick(["enforce", "enforce", "enforce", "audit"]),
    guard: randomGuard(random),
    baseline: randomBaseline(random),
  };
}

/** What an operator might make of it in one edit, or in many. */
export function changedFleet(random: Random, fleet: Fleet): Fleet {
  const kept = random.pick([95, 80, 60, 30]);
  return {
    ...fleet,
    services: fleet.services.map((each) => (random.chance(kept) ? each : randomService(random, each.index))),
    policies: [
      ...fleet.policies.flatMap((policy) =>
        random.chance(kept) ? [policy] : random.chance(50) ? [randomPolicy(random)] : [],
      ),
      ...(random.chance(50) ? [randomPolicy(random)] : []),
    ],
    egress: random.chance(kept) ? fleet.egress : random.pick(["allow", "deny"]),
    mode: random.chance(kept) ? fleet.mode : random.pick(["enforce", "audit"]),
    guard: random.chance(kept) ? fleet.guard : randomGuard(random),
    baseline: random.chance(kept) ? fleet.baseline : randomBaseline(random),
  };
}

const main = (index: number): number => 8080 + index;
const feed = (index: number): number => 5300 + index;
const more = (index: number): number => 8200 + 10 * index;

export function fleetText({
  family,
  services: declared,
  policies,
  egress,
  mode,
  guard,
  baseline,
}: Fleet): string {
  const ports = ({ index, hasFeed, hasMore }: Service) =>
    [
      `main: ${main(index)}/tcp`,
      ...(hasFeed ? [`feed: ${feed(index)}/udp`] : []),
      ...(hasMore ? [`more: ${more(index)}-${more(index) + 3}/tcp`] : []),
    ].join(", ");
  const tiers = (tier: string) => (tier === "" ? "" : `, labels: { tier: ${tier} }`);
  // somebody has to be at the front: a label nobody has is a mistake
  const front = declared.some(({ tier }) => tier === "front") ? [] : [0];
  return [
    "weft: v1\nmesh: lab\ntrustDomain: mesh.internal\ndns: { mode: off }\n",
    `guard: ${guard}\nnodes:\n`,
    ...fleetNodes.map((node) => `  ${node}: { address: "${addressOf(node, family)}" }\n`),
    "services:\n",
    ...declared.map(
      (each, place) =>
        `  s${each.index}: { nodes: [${each.nodes.join(", ")}], user: u${each.index}, ports: { ${ports(each)} }${tiers(front.includes(place) ? "front" : each.tier)} }\n`,
    ),
    "policies:\n",
    ...policies.map((policy, place) => `  - { name: p${place}, ${policy} }\n`),
    baseline,
    `defaults: { egress: ${egress}, mode: ${mode} }\n`,
  ].join("");
}

/** Listened on everywhere, so that "refused" is the rules' doing. */
export const fleetListening = {
  tcp: [22, 9999, ...services.flatMap((index) => [main(index), more(index), more(index) + 3])],
  udp: services.map(feed),
} as const;

export interface Attempt {
  readonly from: FleetHost;
  readonly user: string;
  readonly to: FleetHost;
  readonly family: "v4" | "v6";
  readonly protocol: "tcp" | "udp";
  readonly port: number;
}

export function randomAttempt(random: Random, { family, services: declared }: Fleet): Attempt {
  const service = random.pick(declared);
  const caller = random.pick(declared);
  const hosts = [...fleetNodes, ...strangers];
  const to = (random.chance(75) ? random.pick(service.nodes) : random.pick(hosts)) as FleetHost;
  const from = (random.chance(60) ? random.pick(caller.nodes) : random.pick(hosts)) as FleetHost;
  const isNode = fleetNodes.some((node) => node === from);
  const other = random.pick(["u1", "u2", "u3", "u4", "u5", "mallory", "root"]);
  const [protocol, port] = random.pick([
    ["tcp", main(service.index)],
    ["tcp", main(service.index)],
    ["udp", feed(service.index)],
    ["tcp", more(service.index) + random.pick([0, 3])],
    ["tcp", random.pick([22, 9999])],
  ] as const);
  return {
    from,
    user: isNode ? (random.chance(70) ? `u${caller.index}` : other) : "root",
    to,
    family: random.chance(85) ? family : random.pick(["v4", "v6"]),
    protocol,
    port,
  };
}
