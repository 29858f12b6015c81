// In: a source of randomness. Out: the policy part of a mesh file over the services of kernel-why, valid by
// construction. For tests that compare an answer with a real connection.

export interface Random {
  /** 0 <= n < below */
  below(below: number): number;
  pick<T>(list: readonly T[]): T;
  chance(percent: number): boolean;
}

/** A fixed sequence per seed (mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick<T>(list: readonly T[]): T {
      const found = list[below(list.length)];
      if (found === undefined) throw new Error("nothing to pick from");
      return found;
    },
  };
}

export const whyServices = `
services:
  web: { nodes: [web1], user: web, ports: { http: 8080/tcp }, labels: { tier: front } }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp, feed: 5300/udp } }
  shop: { nodes: [web1], user: shop, ports: { shop: 8090/tcp }, labels: { tier: front } }
  boxed: { nodes: [web1], user: boxed, ports: { boxed: 8181/tcp } }
`;

const sources = [
  "web",
  "api",
  "shop",
  "node:web1",
  "node:hub",
  "node:api1",
  "{ labels: { tier: front } }",
  "{ cidr: 10.77.0.66 }",
  "{ cidr: 10.77.0.0/24 }",
  "{ cidr: 10.77.0.64/26 }",
  "{ cidr: 172.30.1.0/24 }",
  '{ cidr: "fd77::/64" }',
  '{ cidr: "fd77::66" }',
];

export function randomPolicies(random: Random): string {
  const lines: string[] = [];
  const count = 1 + random.below(5);
  for (let index = 0; index < count; index++) {
    const from = [...new Set([random.pick(sources), random.pick(sources)])];
    const to = random.pick(["web", "api", "api", "shop", "boxed", "{ labels: { tier: front } }"]);
    const action = random.chance(25) ? ", action: deny" : "";
    const mode = random.chance(15) ? ", mode: audit" : "";
    lines.push(`  - { name: p${index}, from: [${from.join(", ")}], to: ${to}${action}${mode} }`);
  }
  if (random.chance(30))
    lines.push("  - { name: out, from: [web], to: { cidr: 10.77.0.0/24 }, ports: [9999/tcp] }");
  const defaults = [
    random.chance(40) ? "egress: deny" : "egress: allow",
    random.chance(12) ? "mode: audit" : "mode: enforce",
  ];
  const guard = random.chance(40)
    ? `guard: { admin: [${random.pick(["10.77.0.64/28", "10.77.0.66"])}], ports: [22/tcp, 8080/tcp] }\n`
    : "";
  return `policies:\n${lines.join("\n")}\n${guard}defaults: { ${defaults.join(", ")} }\n`;
}
