// The answer against the kernel: random meshes loaded into real kernels, some then tampered with by hand, and random
// questions. What the interpreter says of the loaded rules must be what a real connection meets, containers included.
// 60 questions; WEFT_LONG=1: 500.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { permits } from "../../packages/coordinator/src/explain/permits.ts";
import { attributionOf } from "../../packages/shared/src/kernel-verdict/attribution.ts";
import { type HookVerdict, judgeHook } from "../../packages/shared/src/kernel-verdict/judge.ts";
import type { Packet } from "../../packages/shared/src/kernel-verdict/packet.ts";
import { parseRuleset } from "../../packages/shared/src/kernel-verdict/ruleset.ts";
import { nodes, PolicyNet } from "../support/policy-net.ts";
import { type Random, randomOf, randomPolicies, whyServices } from "../support/random-mesh.ts";

const seed = 4077;
const long = process.env["WEFT_LONG"] === "1";
const questions = long ? 500 : 60;
const perMesh = 10;

const lab = new PolicyNet();
const { net, address } = lab;
const users = { ...lab.user, boxed: 2004 };
const hosts = ["hub", "web1", "api1", "rogue"] as const;
type HostName = (typeof hosts)[number];
const box = "172.30.1.2";

/** What is listened on where, so that "refused" is the rules' doing. */
const targets: readonly (readonly [HostName, number, "tcp" | "udp"])[] = [
  ["web1", 8080, "tcp"],
  ["web1", 8090, "tcp"],
  ["web1", 8181, "tcp"],
  ["api1", 8080, "tcp"],
  ["api1", 8080, "tcp"],
  ["api1", 5300, "udp"],
  ["api1", 9999, "tcp"],
  ["rogue", 9999, "tcp"],
  ["hub", 22, "tcp"],
  ["hub", 7443, "tcp"],
  ["hub", 7444, "tcp"],
];

const foreign = `
table ip world {
  chain nat { type nat hook postrouting priority srcnat; ip saddr 172.30.1.0/24 masquerade; }
  chain publish { type nat hook prerouting priority dstnat; tcp dport 8181 dnat to ${box}:8080; }
}
`;

beforeAll(async () => {
  await lab.up();
  await Promise.all([net.as("web1", users.boxed).listen(8181), net.as("rogue", users.web).listen(8080)]);
  net.addContainer("box", "web1", "172.30.1");
  net.nft("web1", foreign);
  await net.as("box", 0).listen(8080);
}, 60_000);
afterAll(() => net.down());

const judge = (host: string, packet: Packet): HookVerdict =>
  judgeHook(parseRuleset(net.run(host, ["nft", "-j", "list", "ruleset"])), "inet weft", packet);

interface Question {
  readonly from: HostName | "box";
  readonly user: keyof typeof users;
  readonly to: HostName;
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  readonly family: "v4" | "v6";
}

function randomQuestion(random: Random): Question {
  const [to, port, protocol] = random.pick(targets);
  if (random.chance(15) && to !== "web1")
    return { from: "box", user: "root", to, port, protocol, family: "v4" };
  return {
    from: random.pick(hosts),
    user: random.pick(["web", "web", "api", "shop", "mallory", "root"] as const),
    to,
    port,
    protocol,
    family: random.chance(25) ? "v6" : "v4",
  };
}

/** Every hook on the way, in order. */
function verdictsOf({ from, user, to, port, protocol, family }: Question): HookVerdict[] {
  const destination = address[to][family];
  const common = { protocol, port, publishedPort: undefined };
  if (from === "box") {
    const source = box;
    const through = {
      ...common,
      hook: "forward",
      source,
      destination,
      uid: undefined,
      local: false,
    } as const;
    const arriving = { ...through, hook: "input", source: address.web1.v4 } as const;
    return [judge("web1", through), judge(to, arriving)];
  }
  const source = address[from][family];
  const local = from === to;
  const leaving = { ...common, hook: "output", source, destination, uid: users[user], local } as const;
  // the kernel hands it to the container instead of to the port's own listener
  const published = to === "web1" && port === 8181 && !local && family === "v4";
  const arriving: Packet = published
    ? { ...leaving, hook: "forward", destination: box, port: 8080, publishedPort: 8181, uid: undefined }
    : { ...leaving, hook: "input", uid: undefined };
  return [judge(from, leaving), judge(to, arriving)];
}

const tampering: readonly ((random: Random, host: HostName) => void)[] = [
  (random, host) => {
    const sets = [...net.run(host, ["nft", "-j", "list", "table", "inet", "weft"]).matchAll(/"set": ?\{/g)];
    expect(sets.length).toBeGreaterThan(0);
    const ruleset = parseRuleset(net.run(host, ["nft", "-j", "list", "table", "inet", "weft"]));
    const filled = [...(ruleset[0]?.sets.values() ?? [])].filter(
      ({ name, elements, size }) => elements.length > 0 && size === undefined && name !== "rev",
    );
    if (filled.length > 0) net.nft(host, `flush set inet weft ${random.pick(filled).name}\n`);
  },
  (random, host) => {
    const ruleset = parseRuleset(net.run(host, ["nft", "-j", "list", "table", "inet", "weft"]));
    const chains = [...(ruleset[0]?.chains.values() ?? [])].filter(({ rules }) => rules.length > 0);
    const chain = random.pick(chains);
    net.nft(host, `delete rule inet weft ${chain.name} handle ${random.pick(chain.rules).handle}\n`);
  },
  (random, host) => {
    const ruleset = parseRuleset(net.run(host, ["nft", "-j", "list", "table", "inet", "weft"]));
    net.nft(host, `flush chain inet weft ${random.pick([...(ruleset[0]?.chains.keys() ?? [])])}\n`);
  },
  (random, host) => {
    const chain = random.pick(["input", "output"]);
    const rule = random.pick([
      "tcp dport 8080 drop",
      "meta l4proto { tcp, udp } th dport { 5300, 9999 } reject",
      "tcp dport vmap { 8080 : accept, 9999 : drop, 8090-8100 : drop }",
      "ip saddr 10.77.0.8/29 tcp dport != 22 accept",
      "ip6 daddr fd77::/64 tcp dport 8000-8099 drop",
      "ct state established,new tcp flags syn / fin,syn,rst,ack tcp dport 9999 drop",
    ]);
    net.nft(host, `insert rule inet weft ${chain} ${rule}\n`);
  },
  (random, host) => {
    const hook = random.pick(["input", "output", "forward"]);
    const policy = random.pick(["accept", "drop"]);
    net.nft(
      host,
      `table inet other { chain c { type filter hook ${hook} priority ${random.pick(["-5", "5"])}; policy ${policy};
        ct state established,related accept
        tcp dport { 22, 7443, 8080 } accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        ip saddr 10.77.0.66 counter drop; }; }\n`,
    );
  },
  (_random, host) => net.nft(host, "delete table inet weft\n"),
];

describe("the answer read from the loaded rules", () => {
  it(`is what a real connection meets, ${questions} of ${questions} times`, async () => {
    const random = randomOf(seed);
    const wrong: string[] = [];
    const told = { accept: 0, refuse: 0, tampered: 0, box: 0, v6: 0, meant: 0 };
    let asked = 0;
    while (asked < questions) {
      const mesh = randomPolicies(random);
      const contents = lab.enforceAs(mesh, nodes + whyServices, new Map(Object.entries(users)));
      const tampered = random.chance(40) ? random.pick(["web1", "api1", "hub"] as const) : undefined;
      if (tampered !== undefined) random.pick(tampering)(random, tampered);
      for (let index = 0; index < perMesh && asked < questions; index++, asked++) {
        const question = randomQuestion(random);
        const verdicts = verdictsOf(question);
        const expected = verdicts.every(({ verdict }) => verdict === "accept");
        const { from, user, to, port, protocol, family } = question;
        const real = await net.as(from, users[user]).dial(address[to][family], port, protocol);
        const known = verdicts.every(({ verdict }) => verdict !== "unknown");
        if (!known || expected !== (real === "open"))
          wrong.push(
            JSON.stringify({ question, tampered, real, mesh }) +
              JSON.stringify(
                verdicts.map((each) => [each.verdict, each.own?.path, each.own?.why, each.others]),
              ),
          );
        for (const verdict of verdicts) expect(attributionOf(verdict).kind).not.toBe("");
        // what the coordinator thinks a mesh means, for trying out changes, is what the kernel does with it
        const isGuarded = verdicts.some((verdict) => attributionOf(verdict).kind === "guard");
        const isPublished = verdicts.some(({ own }) => own?.chain === "forward");
        if (tampered === undefined && !isGuarded && !isPublished && from !== "box") {
          const connection = {
            fromNode: from === "rogue" ? undefined : from,
            user,
            source: address[from][family],
            toNode: to === "rogue" ? undefined : to,
            destination: address[to][family],
            protocol,
            port,
          };
          told.meant++;
          const { allowed } = permits(contents, connection);
          if (allowed !== expected)
            wrong.push(`meant ${allowed}: ${JSON.stringify({ question, real, mesh })}`);
        }
        told[expected ? "accept" : "refuse"]++;
        if (tampered !== undefined) told.tampered++;
        if (from === "box") told.box++;
        if (family === "v6") told.v6++;
      }
      for (const host of hosts)
        if (host !== "rogue") net.nft(host, "add table inet other\ndelete table inet other\n");
    }
    expect(wrong).toEqual([]);
    // a test in which everything passes, or nothing does, shows nothing
    expect(told.accept).toBeGreaterThan(questions / 10);
    expect(told.refuse).toBeGreaterThan(questions / 10);
    expect(told.box).toBeGreaterThan(0);
    expect(told.v6).toBeGreaterThan(0);
    process.stderr.write(`${JSON.stringify(told)}\n`);
  }, 1_200_000);
});
