// Guards and bans over every policy: in random meshes, compiled, loaded and listed back, no service, policy or default
// closes a guard flow, and no guard lets a banned node pass; and in real kernels, over both families, on every port, for
// connections that were open before. 60 meshes; WEFT_LONG=1: 2,000.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { withBans } from "../../packages/coordinator/src/compile/bans.ts";
import { ContentJudge } from "../../packages/coordinator/src/replay/content-judge.ts";
import { attributionOf } from "../../packages/shared/src/kernel-verdict/attribution.ts";
import { type HookVerdict, judgeHook } from "../../packages/shared/src/kernel-verdict/judge.ts";
import type { Hook, Packet } from "../../packages/shared/src/kernel-verdict/packet.ts";
import type { DesiredContent, PortRange } from "../../packages/shared/src/model/desired.ts";
import type { Mesh } from "../../packages/shared/src/model/mesh.ts";
import { renderRemoval } from "../../packages/shared/src/render/nftables.ts";
import { renderGlass, renderGlassClosed } from "../../packages/shared/src/render/nftables-glass.ts";
import { installHostPrograms } from "../../scripts/lab-src/host-programs.ts";
import { arbitraryMesh, hosts, meshNodes, meshUsers } from "../support/arbitrary-mesh.ts";
import { labProgress } from "../support/lab.ts";
import { type Loaded, RuleBench } from "../support/loaded-mesh.ts";
import { compileText, PolicyNet } from "../support/policy-net.ts";
import "../support/property-seed.ts";

const meshes = process.env["WEFT_LONG"] === "1" ? 2_000 : 60;
const uids = new Map<string, number>(Object.entries(meshUsers));
const senders = [undefined, ...uids.values()];
const bench: { current: RuleBench | undefined } = { current: undefined };

beforeAll(async () => {
  await installHostPrograms(["ip", "nft"], labProgress);
  bench.current = new RuleBench();
}, 120_000);
afterAll(() => bench.current?.down());

type Asked = Pick<Packet, "source" | "destination" | "protocol" | "port"> & { readonly uid?: number };

function judged(loaded: Loaded, node: string, hook: Hook, asked: Asked): HookVerdict {
  const ruleset = loaded.get(node);
  if (ruleset === undefined) throw new Error(`nothing is loaded for ${node}`);
  const local = asked.source === asked.destination;
  return judgeHook(ruleset, "inet weft", { uid: undefined, ...asked, hook, local, publishedPort: undefined });
}

/** Inside the range, at both of its ends. */
const inside: Readonly<Record<string, readonly string[]>> = {
  "10.77.0.64/28": ["10.77.0.64", "10.77.0.79"],
  "10.77.0.0/24": ["10.77.0.0", "10.77.0.255", "10.77.0.66", "10.77.0.11"],
  "10.77.0.11": ["10.77.0.11"],
  "fd77::66": ["fd77::66"],
  "fd77::/64": ["fd77::", "fd77::ffff:ffff:ffff:ffff", "fd77::66", "fd77::11"],
};

const ownAddress = (node: string, source: string): string =>
  hosts[node as (typeof meshNodes)[number]][source.includes(":") ? "v6" : "v4"];

const ends = ({ protocol, from, to }: PortRange) => [from, to].map((port) => ({ protocol, port }));

/** Every guard flow of the mesh, by whose kernel and hook it passes. */
function guardFlows(mesh: Mesh): { readonly node: string; readonly hook: Hook; readonly asked: Asked }[] {
  const taken = new Set(mesh.nodes.map(({ address }) => address));
  const admins = mesh.guard.admin
    .flatMap((range) => inside[range] ?? [])
    .filter((address) => !taken.has(address) || mesh.guard.admin.includes(address));
  const hub = mesh.nodes.find(({ name }) => name === "hub")!;
  return mesh.nodes.flatMap(({ name, address }) => {
    const arrivals = admins.flatMap((source) =>
      mesh.guard.ports.flatMap((range) =>
        ends(range).map((wanted) => ({
          node: name,
          hook: "input" as const,
          // a machine has addresses of both families, whichever of them the mesh knows
          asked: { source, destination: ownAddress(name, source), ...wanted },
        })),
      ),
    );
    const toHub = [7443, 7444, 8081].map((port) => ({
      source: address,
      destination: hub.address,
      protocol: "tcp" as const,
      port,
    }));
    const toUpstreams = mesh.dns.upstreams.flatMap((destination) =>
      (["tcp", "udp"] as const).map((protocol) => ({ source: address, destination, protocol, port: 53 })),
    );
    const departures = [...toHub, ...toUpstreams].flatMap((asked) =>
      senders.map((uid) => ({
        node: name,
        hook: "output" as const,
        asked: { ...asked, ...(uid === undefined ? {} : { uid }) },
      })),
    );
    return [
      ...arrivals,
      ...departures,
      ...toHub.map((asked) => ({ node: "hub", hook: "input" as const, asked })),
    ];
  });
}

describe("in every mesh", () => {
  it(`guard flows pass whatever services, policies and defaults say, and never for a banned node (${meshes} meshes)`, () => {
    const told = { guarded: 0, banned: 0 };
    fc.assert(
      fc.property(arbitraryMesh, fc.integer({ min: 0, max: 3 }), (text, bits) => {
        const { mesh, contents } = compileText(text);
        const bans = (["web1", "api1"] as const).flatMap((name, bit) =>
          ((bits >> bit) & 1) === 1 ? (contents.get(name)?.address ?? []) : [],
        );
        const after = withBans(contents, bans);
        const loaded = bench.current!.load(after, uids);
        for (const flow of guardFlows(mesh)) {
          const { node, hook, asked } = flow;
          const isBanned =
            bans.includes(hook === "input" ? asked.source : asked.destination) &&
            asked.source !== asked.destination;
          const { verdict } = judged(loaded, node, hook, asked);
          expect({ flow, text, verdict }).toEqual({ flow, text, verdict: isBanned ? "drop" : "accept" });
          told[isBanned ? "banned" : "guarded"]++;
        }
        for (const banned of bans) expectNothing(loaded, after, banned, told);
      }),
      { numRuns: meshes },
    );
    process.stderr.write(`${JSON.stringify(told)}\n`);
    expect(Math.min(told.guarded, told.banned)).toBeGreaterThan(meshes);
  }, 3_600_000);
});

/** On every port that means something, either way and passed on; and the interpreters of content agree. */
function expectNothing(
  loaded: Loaded,
  contents: ReadonlyMap<string, DesiredContent>,
  banned: string,
  told: { banned: number },
): void {
  for (const node of meshNodes) {
    const content = contents.get(node)!;
    if (content.address === banned) continue;
    const judge = new ContentJudge(content);
    for (const port of [22, 53, 5300, 7443, 7444, 8080, 8081, 9999])
      for (const protocol of ["tcp", "udp"] as const) {
        const wanted = { protocol, port };
        const into = judged(loaded, node, "input", {
          source: banned,
          destination: content.address,
          ...wanted,
        });
        const out = judged(loaded, node, "output", {
          source: content.address,
          destination: banned,
          ...wanted,
          uid: 2001,
        });
        const elsewhere = content.address.includes(":") ? "fd77::99" : "10.77.0.99";
        const through = [
          judged(loaded, node, "forward", { source: banned, destination: elsewhere, ...wanted }),
          judged(loaded, node, "forward", { source: elsewhere, destination: banned, ...wanted }),
        ];
        for (const hook of [into, out, ...through]) {
          expect(hook.verdict).toBe("drop");
          expect(attributionOf(hook)).toMatchObject({ kind: "guard", name: "banned" });
        }
        expect([
          judge.receives(banned, wanted).passes,
          judge.sends("web", banned, wanted).passes,
          judge.forwards(banned, elsewhere, wanted).passes,
        ]).toEqual([false, false, false]);
        told.banned++;
      }
  }
}

describe("a banned node in real kernels", () => {
  const lab = new PolicyNet();
  const { net, address, user } = lab;
  const policies = `
policies:
  - { name: web-to-api, from: [web], to: api }
  - { name: api-to-web, from: [api], to: web }
`;
  beforeAll(async () => {
    await lab.up();
    net.addContainer("crate", "api1", "172.30.2");
    await net.as("crate", user.root).listen(80);
    await net.as("web1", user.root).listen(9999);
    net.nft(
      "api1",
      `add table ip t-nat
add chain ip t-nat pre { type nat hook prerouting priority -100; }
add chain ip t-nat post { type nat hook postrouting priority 100; }
add rule ip t-nat pre iifname eth0 tcp dport 8443 dnat to 172.30.2.2:80
add rule ip t-nat post oifname eth0 ip saddr 172.30.2.0/24 masquerade
`,
    );
  }, 300_000);
  afterAll(() => net.down());

  const host = { v4: "10.77.0.11", v6: "fd77::11" };
  const range = { v4: "10.77.0.0/24", v6: "fd77::/64" };
  it.each(["v4", "v6"] as const)(
    "gets nothing over IP%s, inside the admin range and named by itself, and everything again after",
    async (family) => {
      const to = (name: "hub" | "web1" | "api1") => address[name][family];
      const nodes = ["hub", "web1", "api1"]
        .map((name) => `${name}: { address: "${to(name as "hub")}" }`)
        .join(", ");
      const head = `nodes: { ${nodes} }
services:
  web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp, feed: 5300/udp } }
guard: { admin: ["${range[family]}", "${host[family]}"], ports: [22/tcp] }
`;
      const contents = lab.enforce(policies, head);
      // its own kernel is the attacker's
      net.nft("web1", renderRemoval());
      const [web, root, api, rogue] = [
        net.as("web1", user.web),
        net.as("web1", user.root),
        net.as("api1", user.api),
        net.as("rogue", user.root),
      ];
      const crate = net.as("crate", user.root);
      const isFour = family === "v4";
      const tries = async () => ({
        ssh: await root.dial(to("hub"), 22),
        agents: await root.dial(to("hub"), 7443),
        enrolment: await root.dial(to("hub"), 7444),
        spire: await root.dial(to("hub"), 8081),
        service: await web.dial(to("api1"), 8080),
        udp: await web.dial(to("api1"), 5300, "udp"),
        undeclared: await web.dial(to("api1"), 9999),
        called: await api.dial(to("web1"), 8080),
        published: isFour ? await web.dial(to("api1"), 8443) : "not over IPv6",
        fromContainer: isFour ? await crate.dial(to("web1"), 9999) : "not over IPv6",
      });
      const all = (word: string) => ({
        ssh: word,
        agents: word,
        enrolment: word,
        spire: word,
        service: word,
        udp: word,
        undeclared: word,
        called: word,
        published: isFour ? word : "not over IPv6",
        fromContainer: isFour ? word : "not over IPv6",
      });
      expect(await tries()).toEqual(all("open"));
      expect(await web.dialAndKeep(`in ${family}`, to("api1"), 8080)).toBe("open");
      expect(await api.dialAndKeep(`out ${family}`, to("web1"), 8080)).toBe("open");
      if (isFour) expect(await crate.dialAndKeep("through", to("web1"), 9999)).toBe("open");

      const banned = withBans(contents, [to("web1")]);
      for (const node of ["hub", "api1"]) net.nft(node, lab.script(banned.get(node)!));
      expect(await tries()).toEqual(all("silent"));
      // what was open is cut at its next packet, either way and passed on
      expect(await web.ask({ op: "send", keep: `in ${family}` })).toBe("silent");
      expect(await api.ask({ op: "send", keep: `out ${family}` })).toBe("silent");
      if (isFour) expect(await crate.ask({ op: "send", keep: "through" })).toBe("silent");
      // its neighbour in the range is let in as before
      expect(await rogue.dial(to("hub"), 22)).toBe("open");

      // root at the machine has the last word, as long as it lasts
      const port = { protocol: "tcp", from: 8080, to: 8080 } as const;
      net.nft("api1", renderGlass({ from: [to("web1")], ports: [port], seconds: 60 }, true));
      expect(await web.dial(to("api1"), 8080)).toBe("open");
      net.nft("api1", renderGlassClosed());
      expect(await web.dial(to("api1"), 8080)).toBe("silent");

      for (const node of ["hub", "api1"]) net.nft(node, lab.script(contents.get(node)!));
      expect(await tries()).toEqual(all("open"));
    },
    180_000,
  );
});
