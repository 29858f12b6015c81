// Flows that new rules forbid, in real kernels: each ends at both ends within a second of the rules, over IPv4 and IPv6,
// and what is allowed loses no byte. WEFT_LONG=1 runs the long counts.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { KernelFlowCutter } from "../../packages/node-agent/src/policy/flow-cutter.ts";
import { renderGlass, renderGlassClosed } from "../../packages/shared/src/render/nftables-glass.ts";
import { CutNet, type Family } from "../support/cut-net.ts";
import { eventually } from "../support/eventually.ts";
import type { FlowKind } from "../support/flow-ends.ts";
import type { FlowHost } from "../support/flow-host.ts";
import { LineProcess } from "../support/line-process.ts";

const isLong = process.env["WEFT_LONG"] === "1";
/** Of each kind and family. */
const rounds = isLong ? 20 : 1;
const atOnce = isLong ? 5 : 2;

const cutNet = new CutNet();
const { lab, closed } = cutNet;
const { net, address, user } = lab;
const on = cutNet.on.bind(cutNet);
const open = cutNet.open.bind(cutNet);
const headOf = cutNet.head.bind(cutNet);
const cutterOn = cutNet.cutterOn.bind(cutNet);

beforeAll(() => cutNet.up(), 300_000);
afterAll(() => cutNet.down());

interface Case {
  readonly kind: string;
  readonly push: FlowKind;
  readonly client: FlowHost;
  readonly server: FlowHost;
  readonly host: string;
  readonly port: number;
}

function cases(family: Family): Case[] {
  const web = on("web1", user.web);
  const api = { server: on("api1", user.api), host: address.api1[family], port: 8080 };
  const rogue = { server: on("rogue", user.root), host: address.rogue[family], port: 9999 };
  return [
    { kind: "client-push", push: "client-push", client: web, ...api },
    { kind: "server-push", push: "server-push", client: web, ...api },
    { kind: "idle", push: "idle", client: web, ...api },
    { kind: "outbound", push: "idle", client: web, ...rogue },
    { kind: "outbound pushed to", push: "server-push", client: web, ...rogue },
    { kind: "through a container", push: "idle", client: on("cage", user.root), ...api },
    {
      kind: "to a container",
      push: "idle",
      client: on("rogue", user.root),
      server: on("crate", user.root),
      host: address.api1[family],
      port: 8443,
    },
  ];
}

let serial = 0;
const worst = new Map<string, number[]>();

function summary(): string {
  return [...worst]
    .map(([kind, ms]) => {
      const sorted = ms.toSorted((a, b) => a - b);
      const at = (share: number) => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? 0);
      return `${kind}: ${ms.length} ends, p50 ${at(0.5)} p99 ${at(0.99)} worst ${at(1)} ms`;
    })
    .join("\n");
}

describe.each(["v4", "v6"] as const)("established flows over %s", (family) => {
  const rogue = `${address.rogue[family]}/${family === "v4" ? 32 : 128}`;

  it(
    `that are forbidden end at both ends within a second; allowed ones lose no byte (${rounds} x ${atOnce} of each kind)`,
    async () => {
      for (let round = 0; round < rounds; round++) {
        lab.enforce(open(family, rogue), headOf(family));
        const forbidden = cases(family).flatMap((item) =>
          Array.from({ length: atOnce }, () => ({ ...item, name: `f${++serial}` })),
        );
        const shop = on("web1", user.shop);
        const api = on("api1", user.api);
        const allowed = (["client-push", "server-push", "idle"] as const).map((kind) => ({
          kind,
          name: `a${++serial}`,
        }));
        const piles = [shop, api].map((writer) => ({
          writer,
          reader: writer === shop ? api : shop,
          name: `p${++serial}`,
        }));
        await Promise.all([
          ...forbidden.map(({ name, push, client, host, port }) => client.open(name, push, host, port)),
          ...allowed.map(({ name, kind }) => shop.open(name, kind, address.api1[family], 8080)),
          ...piles.map(({ name }) => shop.open(name, "pile", address.api1[family], 8080)),
        ]);
        // closed, and what the other end has not read waits in a socket that is nobody's
        for (const { writer, name } of piles) {
          writer.order({ op: "pile", name, bytes: 400_000 });
          await writer.until(name, "piled");
        }
        await eventually("closed sockets hold data", () => orphans("web1") > 0 && orphans("api1") > 0);

        lab.enforce(closed, headOf(family));
        const confirmed = performance.timeOrigin + performance.now();
        const results = await Promise.all([cutterOn("web1").cut(false), cutterOn("api1").cut(false)]);
        expect(results.map((result) => [result?.failed, result?.trouble])).toEqual([
          [0, []],
          [0, []],
        ]);
        for (const { name, kind, client, server } of forbidden)
          for (const end of [client, server]) {
            const { at } = await end.until(name, "ended");
            const label = `${kind} ${family}`;
            worst.set(label, [...(worst.get(label) ?? []), at - confirmed]);
          }
        expect(results.reduce((sum, result) => sum + (result?.ended ?? 0), 0)).toBeGreaterThanOrEqual(
          forbidden.length,
        );

        for (const { reader, name } of piles) {
          reader.order({ op: "drain", name });
          await reader.until(name, "whole");
        }
        for (const { writer, reader, name } of piles) {
          const wrote = writer.happened(name, "piled");
          const read = reader.happened(name, "whole");
          expect([read?.read, read?.readHash]).toEqual([wrote?.wrote, wrote?.wroteHash]);
          reader.order({ op: "finish", name });
          await reader.until(name, "ended");
        }
        for (const { name } of allowed) {
          expect(shop.happened(name, "ended")).toBeUndefined();
          shop.order({ op: "finish", name });
          api.order({ op: "finish", name });
          const [there, here] = await Promise.all([api.until(name, "ended"), shop.until(name, "ended")]);
          expect([there.how, there.read, there.readHash]).toEqual(["closed", here.wrote, here.wroteHash]);
          expect([here.how, here.read, here.readHash]).toEqual(["closed", there.wrote, there.wroteHash]);
        }
      }
      process.stderr.write(`${summary()}\n`);
      for (const [kind, ms] of [...worst].filter(([label]) => label.endsWith(family)))
        expect([kind, Math.max(...ms) < 1_000]).toEqual([kind, true]);
    },
    30_000 + rounds * 30_000,
  );
});

/** Sockets that nobody holds and that still have something to send. */
function orphans(host: string): number {
  const printed = net.run(host, ["ss", "-Hntae", "state", "fin-wait-1"]);
  return printed.split("\n").filter((line) => / ino:0 /.test(line)).length;
}

it("datagrams of a connected socket end like connections, and the memory of others is deleted", async () => {
  const server =
    "const s=require('dgram').createSocket('udp4');s.on('message',(m,r)=>s.send(m,r.port,r.address));s.bind(5300,()=>console.log('bound'))";
  const client = `const s=require('dgram').createSocket('udp4');s.on('error',(e)=>{console.log(e.code);process.exit()});
s.on('message',()=>console.log('answered'));s.connect(5300,'${address.api1.v4}',()=>s.send('hello'))`;
  const loose = `const s=require('dgram').createSocket('udp4');s.on('message',()=>console.log('answered'));
s.send('hello',5300,'${address.api1.v4}')`;
  const run = (host: string, uid: number, script: string) =>
    LineProcess.in(net.namespaceOf(host), uid, script);
  lab.enforce(open("v4"), headOf("v4").replace("8443/tcp", "8443/tcp, feed: 5300/udp"));
  const processes = [run("api1", user.api, server)];
  try {
    await processes[0]!.until("bound");
    const [connected, sending] = [run("web1", user.web, client), run("web1", user.web, loose)];
    processes.push(connected, sending);
    await Promise.all([connected.until("answered"), sending.until("answered")]);
    const tracked = () => net.run("web1", ["conntrack", "-L", "-p", "udp", "--dport", "5300"]);
    expect(tracked().trim().split("\n")).toHaveLength(2);
    lab.enforce(closed, headOf("v4").replace("8443/tcp", "8443/tcp, feed: 5300/udp"));
    expect(await cutterOn("web1").cut(false)).toMatchObject({ ended: 2, failed: 0, trouble: [] });
    await connected.until("ECONNABORTED");
    expect(tracked().trim()).toBe("");
  } finally {
    for (const process of processes) process.stop();
  }
});

describe("a cut leaves", () => {
  const family = "v4";
  const guard = `guard: { admin: [${address.rogue.v4}/32], ports: [22/tcp] }\n`;
  const rogue = () => on("rogue", user.root);

  it("what an administrator reached by a guard port, and loopback", async () => {
    lab.enforce(guard + open(family), headOf(family));
    const shop = on("web1", user.shop);
    await rogue().open("admin", "idle", address.hub.v4, 22);
    await shop.open("loop", "idle", "127.0.0.1", 7000);
    lab.enforce(guard + closed, headOf(family));
    for (const host of ["hub", "web1"])
      expect(await cutterOn(host).cut(false)).toMatchObject({ failed: 0, ended: 0 });
    expect([rogue().happened("admin", "ended"), shop.happened("loop", "ended")]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it("what break-glass let in, to a declared port, too, as long as it is open", async () => {
    const glass = {
      from: [`${address.rogue.v4}/32`],
      ports: [{ protocol: "tcp", from: 8080, to: 8080 }],
      seconds: 60,
    } as const;
    lab.enforce(closed, headOf(family));
    net.nft("api1", renderGlass(glass, true));
    await rogue().open("glass", "idle", address.api1.v4, 8080);
    lab.enforce(closed.replace("shop-to-api", "shop-to-api-2"), headOf(family));
    expect(await cutterOn("api1").cut(false)).toMatchObject({ ended: 0, failed: 0 });
    expect(rogue().happened("glass", "ended")).toBeUndefined();
    net.nft("api1", renderGlassClosed());
    expect(await cutterOn("api1").cut(false)).toMatchObject({ ended: 1, failed: 0 });
    expect((await rogue().until("glass", "ended")).how).toBe("ECONNRESET");
  });

  it("everything, and counts it, where that is asked for", async () => {
    lab.enforce(open(family), headOf(family));
    const web = on("web1", user.web);
    await web.open("kept", "idle", address.api1.v4, 8080);
    lab.enforce(closed, headOf(family));
    expect(await cutterOn("web1").cut(true)).toMatchObject({ ended: 0, failed: 0, kept: 1 });
    expect(web.happened("kept", "ended")).toBeUndefined();
    expect(await cutterOn("web1").cut(false)).toMatchObject({ ended: 1, kept: 0 });
    await web.until("kept", "ended");
  });
});

describe("what cannot be ended is said", () => {
  it("when ss does nothing, and when conntrack is not there", async () => {
    lab.enforce(open("v4"), headOf("v4"));
    await on("web1", user.web).open("stays", "idle", address.api1.v4, 8080);
    await on("cage", user.root).open("caged", "idle", address.api1.v4, 8080);
    lab.enforce(closed, headOf("v4"));
    const real = cutNet.execOn("web1");
    const lame = new KernelFlowCutter({
      exec: {
        ...real,
        run: (program, args, options) =>
          program === "conntrack" || (program === "ss" && args.includes("-K"))
            ? cutNet.exec.run(program === "ss" ? "true" : "weft-no-such-program", args, options)
            : real.run(program, args, options),
      },
      files: cutNet.filesOn("web1"),
      others: { find: async () => ({ end: async () => undefined }) },
      canEndSockets: async () => false,
    });
    const result = await lame.cut(false);
    expect(result).toMatchObject({ ended: 0, failed: 2 });
    const trouble = result?.trouble.join();
    expect(trouble).toContain("CONFIG_INET_DIAG_DESTROY");
    expect(trouble).toContain("weft-no-such-program is not installed");
    expect(await cutterOn("web1").cut(false)).toMatchObject({ ended: 2, failed: 0, trouble: [] });
    await eventually("both are over", () =>
      [
        on("web1", user.web).happened("stays", "ended"),
        on("cage", user.root).happened("caged", "ended"),
      ].every((event) => event !== undefined),
    );
  });
});
