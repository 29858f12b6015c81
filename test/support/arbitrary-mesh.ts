// In: fast-check's choices. Out: small mesh files of three nodes over the hosts of policy-net, valid by construction:
// several instances, shared users, ranges, labels, nodes, CIDRs, deny, audit, egress, guards, pings, baselines; and what
// to ask of them.
import fc from "fast-check";
import type { Mesh } from "../../packages/shared/src/model/mesh.ts";
import type { Asked } from "./oracle.ts";
import type { Random } from "./random-mesh.ts";

export const meshNodes = ["hub", "web1", "api1"] as const;
export const hosts = {
  hub: { v4: "10.77.0.10", v6: "fd77::10" },
  web1: { v4: "10.77.0.11", v6: "fd77::11" },
  api1: { v4: "10.77.0.12", v6: "fd77::12" },
  rogue: { v4: "10.77.0.66", v6: "fd77::66" },
} as const;
type Host = keyof typeof hosts;

/** No service's are last. */
export const meshUsers = { web: 2001, api: 2002, shop: 2003, data: 2004, mallory: 2666, root: 0 } as const;
const users = ["web", "api", "shop", "data"] as const;
const serviceNames = ["one", "two", "three", "four"] as const;
/** Sparse ports, so that services meet on the same one. */
const portPool = ["8080/tcp", "8082-8089/tcp", "5300/udp", "5300-5303/tcp", "8085/udp", "22/tcp"] as const;
const cidrs = [
  "10.77.0.66",
  "10.77.0.0/24",
  "10.77.0.64/26",
  "10.77.0.8/30",
  "0.0.0.0/0",
  "fd77::/64",
  "fd77::66",
  "::/0",
] as const;

/** What a baseline may leave open: ports of no service, of one, and ping. */
const openings = ["9999/tcp", "9990-9999/tcp", "53/udp", "8080/tcp", "22/tcp", "icmp"] as const;

const mode = fc.option(fc.constantFrom("enforce", "audit", "enforce", "enforce"), { nil: undefined });
const index = fc.nat(1000);

const rawService = fc.record({
  nodes: fc.integer({ min: 1, max: 7 }),
  user: index,
  ports: fc.uniqueArray(fc.nat(portPool.length - 1), { minLength: 1, maxLength: 3 }),
  tier: fc.constantFrom("front", "back", undefined),
});
const rawPolicy = fc.record({
  from: fc.array(index, { minLength: 1, maxLength: 3 }),
  to: index,
  ports: fc.option(fc.tuple(index, index, index), { nil: undefined }),
  deny: fc.integer({ min: 0, max: 3 }),
  /** 0: of ping alone; 1: of ping, too. */
  ping: fc.integer({ min: 0, max: 7 }),
  mode,
});
const rawOpening = fc.record({
  from: fc.array(index, { minLength: 1, maxLength: 2 }),
  ports: fc.uniqueArray(fc.nat(openings.length - 1), { minLength: 1, maxLength: 2 }),
});
const rawEntry = fc.record({
  about: fc.constantFrom(undefined, "[hub]", "[web1, api1]", "[{ labels: { zone: a } }]"),
  closes: fc.boolean(),
  mode,
  allow: fc.array(rawOpening, { maxLength: 2 }),
});
const rawMesh = fc.record({
  six: fc.integer({ min: 0, max: 2 }),
  services: fc.array(rawService, { minLength: 1, maxLength: serviceNames.length }),
  policies: fc.array(rawPolicy, { maxLength: 6 }),
  baseline: fc.oneof(
    fc.array(rawEntry, { maxLength: 0 }),
    fc.array(rawEntry, { minLength: 1, maxLength: 3 }),
  ),
  egress: fc.constantFrom("allow", "deny"),
  mode: fc.constantFrom("enforce", "enforce", "enforce", "enforce", "audit"),
  admin: fc.uniqueArray(
    fc.constantFrom("10.77.0.64/28", "10.77.0.0/24", "10.77.0.11", "fd77::66", "fd77::/64"),
    {
      maxLength: 2,
    },
  ),
  guardPorts: fc.uniqueArray(fc.constantFrom("22/tcp", "8080/tcp", "5300/udp"), { maxLength: 2 }),
  upstream: fc.boolean(),
});
type RawMesh = typeof rawMesh extends fc.Arbitrary<infer T> ? T : never;

function at<T>(list: readonly T[], position: number): T {
  const found = list[position % list.length];
  if (found === undefined) throw new Error("nothing to choose from");
  return found;
}

interface Service {
  readonly name: string;
  readonly nodes: readonly string[];
  readonly user: string;
  readonly ports: readonly (readonly [name: string, range: string])[];
  readonly tier: string | undefined;
}

interface Range {
  readonly protocol: string;
  readonly from: number;
  readonly to: number;
}

function rangeOf(text: string): Range {
  const [numbers = "", protocol = ""] = text.split("/");
  const [from = "", to = from] = numbers.split("-");
  return { protocol, from: Number(from), to: Number(to) };
}

function overlap(a: string, b: string): boolean {
  const [x, y] = [rangeOf(a), rangeOf(b)];
  return x.protocol === y.protocol && x.from <= y.to && y.from <= x.to;
}

/** Users and ports are not shared on a node; whoever has nothing left does not exist. */
function servicesOf(raw: RawMesh["services"]): Service[] {
  const services: Service[] = [];
  for (const [position, each] of raw.entries()) {
    const nodes = meshNodes.filter((_, bit) => ((each.nodes >> bit) & 1) === 1);
    const neighbours = services.filter((other) =>
      other.nodes.some((node) => nodes.some((own) => own === node)),
    );
    const free = users.filter((user) => neighbours.every((other) => other.user !== user));
    const ports = each.ports
      .map((port): readonly [string, string] => [`p${port}`, at(portPool, port)])
      .filter(([, range]) =>
        neighbours.every((other) => other.ports.every(([, taken]) => !overlap(taken, range))),
      );
    const apart = ports.filter(([, range], place) =>
      ports.slice(0, place).every(([, earlier]) => !overlap(earlier, range)),
    );
    if (free.length === 0 || apart.length === 0) continue;
    services.push({
      name: at(serviceNames, position),
      nodes,
      user: at(free, each.user),
      ports: apart,
      tier: each.tier,
    });
  }
  return services;
}

const quoted = (text: string): string => (text.includes(":") ? `"${text}"` : text);
const cidr = (position: number): string => `{ cidr: ${quoted(at(cidrs, position))} }`;

function policyText(raw: RawMesh["policies"][number], name: string, services: readonly Service[]): string {
  const tiers = [...new Set(services.flatMap(({ tier }) => tier ?? []))].map(
    (tier) => `{ labels: { tier: ${tier} } }`,
  );
  const named = services.map((service) => service.name);
  const isPing = raw.ping === 0;
  const others = isPing ? meshNodes.map((node) => `node:${node}`) : ["outside"];
  const targets = [...named, ...named, ...tiers, ...others];
  const target = at(targets, raw.to);
  const isOutside = target === "outside";
  const senders = isOutside
    ? [...named, ...tiers]
    : [...named, ...named, ...tiers, ...meshNodes.map((node) => `node:${node}`)];
  const from = raw.from.map((position) =>
    !isOutside && position % 3 === 0 ? cidr(position) : at(senders, position),
  );
  const deny = raw.deny === 0;
  const parts = [`name: ${name}`, `from: [${[...new Set(from)].join(", ")}]`];
  parts.push(`to: ${isOutside ? cidr(raw.to) : target}`);
  const ports = raw.ports === undefined ? undefined : portsText(raw.ports, services, target);
  if (isPing) parts.push("ports: [icmp]");
  else if (ports !== undefined)
    parts.push(`ports: [${ports}${raw.ping === 1 && !isOutside ? ", icmp" : ""}]`);
  if (deny) parts.push("action: deny");
  if (raw.mode !== undefined && !(isOutside && !deny && raw.mode === "audit"))
    parts.push(`mode: ${raw.mode}`);
  return `  - { ${parts.join(", ")} }\n`;
}

function portsText(
  [which, low, high]: readonly [number, number, number],
  services: readonly Service[],
  target: string,
) {
  if (target === "outside") return at(["9999/tcp", "9000-9999/tcp", "8080/tcp, 5300/udp"], which);
  const service = services.find(({ name }) => name === target);
  if (service === undefined) return undefined;
  const [name, text] = at(service.ports, which);
  const range = rangeOf(text);
  if (low % 3 === 0) return name;
  const from = range.from + (low % (range.to - range.from + 1));
  const to = from + (high % (range.to - from + 1));
  return `${from === to ? from : `${from}-${to}`}/${range.protocol}`;
}

function meshText(raw: RawMesh): string {
  const family = raw.six === 0 ? "v6" : "v4";
  const services = servicesOf(raw.services);
  const lines = [
    "weft: v1\nmesh: lab\ntrustDomain: mesh.internal\n",
    `dns: { mode: off${raw.upstream ? ", upstreams: [10.77.0.66]" : ""} }\n`,
    `guard: { admin: [${raw.admin.map(quoted).join(", ")}], ports: [${raw.guardPorts.join(", ")}] }\n`,
    "nodes:\n",
    ...meshNodes.map(
      (node) =>
        `  ${node}: { address: ${quoted(hosts[node][family])}, labels: { zone: ${node === "web1" ? "a" : "b"} } }\n`,
    ),
    "services:\n",
    ...services.map(
      ({ name, nodes, user, ports, tier }) =>
        `  ${name}: { nodes: [${nodes.join(", ")}], user: ${user}, ports: { ${ports
          .map(([portName, range]) => `${portName}: ${range}`)
          .join(", ")} }${tier === undefined ? "" : `, labels: { tier: ${tier} }`} }\n`,
    ),
    raw.policies.length === 0 ? "" : "policies:\n",
    ...raw.policies.map((policy, position) => policyText(policy, `p${position}`, services)),
    ...baselineLines(raw.baseline),
    `defaults: { egress: ${raw.egress}, mode: ${raw.mode} }\n`,
  ];
  return lines.join("");
}

function baselineLines(entries: RawMesh["baseline"]): string[] {
  const senders = ["any", ...meshNodes.map((node) => `node:${node}`)];
  const lines = entries
    .filter(({ closes, allow }) => closes || allow.length > 0)
    .map(({ about, closes, mode: own, allow }) => {
      const opened = allow.map(({ from, ports }) => {
        const sources = from.map((place) => (place % 2 === 0 ? cidr(place) : at(senders, place)));
        const numbers = ports.map((place) => at(openings, place));
        return `{ from: [${[...new Set(sources)].join(", ")}], ports: [${numbers.join(", ")}] }`;
      });
      const parts = [
        ...(about === undefined ? [] : [`nodes: ${about}`]),
        ...(closes ? ["inbound: deny"] : []),
        ...(closes && own !== undefined ? [`mode: ${own}`] : []),
        ...(opened.length === 0 ? [] : [`allow: [${opened.join(", ")}]`]),
      ];
      return `  - { ${parts.join(", ")} }\n`;
    });
  if (lines.length === 0) return [];
  // nobody may close SSH to everybody; whom this lets in is nobody of these tests
  return ["baseline:\n", ...lines, "  - { allow: [{ from: [{ cidr: 203.0.113.1 }], ports: [22/tcp] }] }\n"];
}

export const arbitraryMesh: fc.Arbitrary<string> = rawMesh.map(meshText);

/** Where a verdict may turn: on both sides of every end of a range. */
function portsOf(mesh: Mesh): (readonly [protocol: Asked["protocol"], port: number])[] {
  const ranges = [
    ...mesh.services.flatMap((service) => service.ports.map(({ range }) => range)),
    ...mesh.policies.flatMap((policy) => policy.ports?.filter((port) => typeof port !== "string") ?? []),
    ...mesh.guard.ports,
    ...(mesh.baseline ?? []).flatMap(({ allow }) => allow.flatMap(({ ports }) => ports)),
  ];
  const ping = ["icmp", 0] as const;
  return [
    ...ranges.flatMap(({ protocol, from, to }) =>
      [from, from, to, to + 1, from - 1].map((port) => [protocol, port] as const),
    ),
    ...[7443, 7444, 8081, 53, 9999].map((port) => ["tcp", port] as const),
    ...[53, 7443].map((port) => ["udp", port] as const),
    ...[ping, ping, ping],
  ];
}

export function randomAsked(random: Random, mesh: Mesh): Asked {
  const names = Object.keys(hosts) as Host[];
  const [from, to] = [random.pick(names), random.pick(names)];
  const isSix = mesh.nodes[0]?.address.includes(":") === true;
  const family = random.chance(80) === isSix ? "v6" : "v4";
  const [protocol, port] = random.pick(portsOf(mesh));
  const nodeOf = (host: Host) => (host === "rogue" ? undefined : host);
  return {
    fromNode: nodeOf(from),
    user: random.pick([...users, ...users, "mallory", "root"]),
    source: hosts[from][family],
    toNode: nodeOf(to),
    destination: hosts[to][family],
    protocol,
    port,
  };
}
