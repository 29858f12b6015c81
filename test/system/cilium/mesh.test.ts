// `enforcement: cilium` on two of three machines, with a real agent: from nftables to Cilium and back under traffic, agents
// killed, machines rebooted and crashed, etcd away. Needs WEFT_CILIUM_DIR, a directory with cilium-agent, cilium-dbg,
// cilium-health-responder and bpf/ of one version.
// over 300 lines: one mesh, brought up once, that goes through all of it
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { openLab } from "../../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../../scripts/quickstart-src/artefacts.ts";
import { applyMesh } from "../../../scripts/quickstart-src/bring-up.ts";
import { must, until, type World } from "../../../scripts/quickstart-src/world.ts";
import {
  allocations,
  answersSince,
  bringUpForCilium,
  ciliumMachines,
  identities,
  longestGap,
  meshText,
  now,
  printedSince,
  reaches,
  usualCalls,
} from "../../support/cilium/cilium-mesh.ts";
import { ciliumTraces } from "../../support/cilium/cilium-traces.ts";
import { imageOfDirectory } from "../../support/cilium/image-of-directory.ts";
import { endpointsOf } from "../../support/cilium/quickstart-world.ts";
import "../../support/property-seed.ts";

const directory = process.env["WEFT_CILIUM_DIR"];
const isLong = process.env["WEFT_LONG"] === "1";
const minutes = 60_000;
const name = `cm-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };
const world: World = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };
const node = { hub: "10.77.0.10", web1: "10.77.0.11", api1: "10.77.0.12" };
let endpoint: { readonly web: string; readonly api: string };
let before: ReadonlyMap<string, string>;

const described = directory === undefined ? describe.skip : describe;

/** Lines that are no answer. */
const failures = (lines: readonly string[]): string[] =>
  lines.filter((line) => line !== "" && !line.includes('"status":200'));

interface WhyPath {
  readonly verdict: string;
  readonly proof: { readonly agrees: boolean | null } | null;
}

const services = ["web", "api", "old"] as const;
type Service = (typeof services)[number];
const home = { web: "web1", api: "api1", old: "hub" } as const;

/** As the service would: from its namespace to an endpoint's address, or as its user to a node's. */
async function connects(from: Service, to: Service): Promise<boolean> {
  const isEndpoint = from !== "old";
  const address = isEndpoint && to !== "old" ? endpoint[to] : node[home[to]];
  if (isEndpoint) return reaches(world, home[from], from, address, 8080);
  const argv = ["nc", "-z", "-w", "1", address, "8080"] as const;
  return (await world.lab.exec(home[from], argv, { user: from })).code === 0;
}

/** web itself only calls; without a listener a port is closed whatever judges it. */
async function listenAtWeb(): Promise<void> {
  const place = "--property=NetworkNamespacePath=/run/netns/weft-web";
  await until("the namespace of web", minutes, async () => {
    const argv = ["systemd-run", "--quiet", "--unit=probe-web", place, "nc", "-lk", "8080"] as const;
    return (await world.lab.exec("web1", argv)).code === 0 ? true : undefined;
  });
}

async function nobodyElsePasses(): Promise<void> {
  const tries = [
    // not its services, though from their machines
    ["web1", undefined, endpoint.api, 8080],
    ["web1", undefined, node.api1, 8080],
    ["api1", undefined, endpoint.api, 8080],
    ["api1", undefined, node.api1, 8080],
    // services that no policy lets in, or out
    ["api1", "api", endpoint.web, 8080],
    ["web1", "web", endpoint.api, 8081],
    ["web1", "web", node.web1, 22],
    ["web1", "web", node.hub, 8080],
    ["hub", undefined, node.web1, 8080],
    ["rogue", undefined, node.api1, 8080],
  ] as const;
  for (const [machine, namespace, address, port] of tries)
    expect([
      machine,
      namespace,
      address,
      port,
      await reaches(world, machine, namespace, address, port),
    ]).toEqual([machine, namespace, address, port, false]);
}

described("a mesh of nodes with nftables and with Cilium (needs WEFT_CILIUM_DIR)", () => {
  beforeAll(async () => {
    await labUp(labNames(name), 0, progress, "cilium");
    await bringUpForCilium(world, directory ?? "");
    before = new Map(
      await Promise.all(ciliumMachines.map(async (it) => [it, await ciliumTraces(world, it)] as const)),
    );
  }, 10 * minutes);
  afterAll(() => labDown(labNames(name), progress), 2 * minutes);

  it(
    "moves under traffic: apply --wait returns when endpoints enforce, and callers are away for as long as services restart",
    async () => {
      const since = await now(world, "hub");
      const said = await applyMesh(world, meshText("cilium"), "to Cilium");
      process.stderr.write(said);
      endpoint = await endpointsOf(world);
      await listenAtWeb();
      const moved = await now(world, "hub");
      for (const [machine, service] of [
        ["web1", "web"],
        ["hub", "old"],
      ] as const)
        expect(await answersSince(world, machine, service, moved)).toContain(
          `"hello":"spiffe://mesh.internal/${service}"`,
        );
      for (const [machine, service] of [
        ["web1", "web"],
        ["hub", "old"],
      ] as const)
        process.stderr.write(
          `to Cilium: ${service} had no answer for ${await longestGap(world, machine, service, since)} s\n`,
        );
      const status = await must(world, "hub", ["weft", "status", "--json"]);
      const nodes = (JSON.parse(status) as { nodes: { name: string; enforcement: string }[] }).nodes;
      expect(nodes.map((each) => `${each.name} ${each.enforcement}`)).toEqual([
        "api1 cilium",
        "hub nftables",
        "web1 cilium",
      ]);
    },
    4 * minutes,
  );

  it(
    "lets in whom policies name, by identity and by address, and nobody else",
    async () => {
      expect(await reaches(world, "web1", "web", endpoint.api, 8080)).toBe(true);
      await nobodyElsePasses();
      await must(world, "rogue", ["ip", "route", "add", "10.42.12.0/24", "via", node.api1]);
      expect(await reaches(world, "rogue", undefined, endpoint.api, 8080)).toBe(false);
    },
    2 * minutes,
  );

  it("resolves names in namespaces, the mesh's own and public ones", async () => {
    for (const [asked, wanted] of [
      ["api.mesh.internal", endpoint.api],
      ["old.mesh.internal", node.hub],
      ["www.example.test", "192.0.2.80"],
    ] as const) {
      const argv = ["nsenter", "--net=/run/netns/weft-web", "getent", "ahostsv4", asked] as const;
      expect((await must(world, "web1", argv)).split(/\s/)[0]).toBe(wanted);
    }
  });

  it(
    "says why as real connections go, across both kinds",
    async () => {
      await must(world, "hub", ["systemd-run", "--quiet", "--unit=probe-old", "nc", "-lk", node.hub, "8080"]);
      const pairs = services.flatMap((from) =>
        services.filter((to) => to !== from).map((to) => [from, to] as const),
      );
      let asked = 0;
      const wrong: string[] = [];
      for (const calls of fc.sample(fc.subarray(pairs), isLong ? 34 : 3)) {
        await applyMesh(world, meshText("cilium", calls), "at random");
        for (const [from, to] of pairs) {
          const argv = ["weft", "why", from, to, "8080", "--prove", "--json"] as const;
          const said = (await world.lab.exec("hub", argv)).stdout;
          const [path] = (JSON.parse(said) as { paths: readonly WhyPath[] }).paths;
          const passes = await connects(from, to);
          asked += 1;
          const isMeant = calls.some((call) => call[0] === from && call[1] === to);
          const isSame = path?.verdict === (passes ? "allowed" : "refused") && path.proof?.agrees !== false;
          if (!isSame || passes !== isMeant)
            wrong.push(`${from} -> ${to}: meant ${isMeant}, connects ${passes}, why says ${said}`);
        }
      }
      process.stderr.write(`why: ${asked - wrong.length} of ${asked} as real connections go\n`);
      await must(world, "hub", ["systemctl", "stop", "probe-old"]);
      await applyMesh(world, meshText("cilium"), "as before");
      expect(wrong).toEqual([]);
    },
    (isLong ? 30 : 5) * minutes,
  );

  it(
    "ends a connection between endpoints that is forbidden now, at both ends, and no other",
    async () => {
      const [web, old] = [await now(world, "web1"), await now(world, "hub")];
      const said = await applyMesh(world, meshText("cilium", [["old", "api"]]), "web may not");
      process.stderr.write(said);
      const ended = (machine: string) =>
        Number(new RegExp(`${machine} ended (\\d+) flow`).exec(said)?.[1] ?? 0);
      // whichever node is first: its reset ends the other end, too
      expect(ended("web1") + ended("api1")).toBeGreaterThan(0);
      const broken = failures(await printedSince(world, "web1", "web", web));
      expect(broken.some((line) => /reset|broken/i.test(line))).toBe(true);
      await answersSince(world, "hub", "old", await now(world, "hub"));
      expect(failures(await printedSince(world, "hub", "old", old))).toEqual([]);
      await applyMesh(world, meshText("cilium"), "as before");
      await answersSince(world, "web1", "web", await now(world, "web1"));
    },
    2 * minutes,
  );

  it("refuses a source that is not the endpoint's own", async () => {
    await must(world, "web1", ["ip", "-n", "weft-web", "addr", "add", "10.42.11.250/32", "dev", "eth0"]);
    const argv = ["nsenter", "--net=/run/netns/weft-web", "nc", "-z", "-w", "1"] as const;
    const own = await world.lab.exec("web1", [...argv, "-s", endpoint.web, endpoint.api, "8080"]);
    const other = await world.lab.exec("web1", [...argv, "-s", "10.42.11.250", endpoint.api, "8080"]);
    await must(world, "web1", ["ip", "-n", "weft-web", "addr", "del", "10.42.11.250/32", "dev", "eth0"]);
    expect([own.code === 0, other.code === 0]).toEqual([true, false]);
  });

  it(
    "loses no answer while agents of Cilium are killed, lets nobody else pass, and keeps endpoints and identities",
    async () => {
      const known = await identities(world);
      const since = await now(world, "web1");
      for (let round = 0; round < (isLong ? 20 : 3); round++) {
        const machine = ciliumMachines[round % 2] ?? "web1";
        await must(world, machine, ["systemctl", "kill", "-s", "KILL", "weft-cilium"]);
        await nobodyElsePasses();
        await until(`the agent of ${machine} is back`, 2 * minutes, async () =>
          (await identities(world)) === known ? true : undefined,
        );
      }
      const lines = await printedSince(world, "web1", "web", since);
      expect(failures(lines)).toEqual([]);
      expect(lines.length).toBeGreaterThan(100);
    },
    (isLong ? 20 : 5) * minutes,
  );

  it(
    "loses no answer while programs are put in place from an image, and the agent is started from them",
    async () => {
      const known = await identities(world);
      const { digest, tar } = await imageOfDirectory(directory ?? "");
      const since = await now(world, "web1");
      for (const machine of ciliumMachines) {
        const pid = () =>
          must(world, machine, ["systemctl", "show", "-p", "MainPID", "--value", "weft-cilium"]);
        const former = await pid();
        await world.lab.writeFile(machine, "/var/tmp/image.tar", tar);
        const argv = [
          "weft-node-agent",
          "cilium",
          "install",
          "/var/tmp/image.tar",
          "--digest",
          digest,
        ] as const;
        process.stderr.write(await must(world, machine, argv, { timeoutMs: 2 * minutes }));
        await until(`the agent of ${machine} is another`, 2 * minutes, async () =>
          (await pid()) !== former && (await identities(world)) === known ? true : undefined,
        );
        await nobodyElsePasses();
      }
      const lines = await printedSince(world, "web1", "web", since);
      expect(failures(lines)).toEqual([]);
      expect(lines.length).toBeGreaterThan(100);
    },
    10 * minutes,
  );

  it(
    "enforces the same while etcd is away, and takes up an edit of policies",
    async () => {
      const since = await now(world, "web1");
      await must(world, "hub", ["systemctl", "kill", "-s", "STOP", "etcd-lab"]);
      const stopped = Date.now();
      try {
        await nobodyElsePasses();
        const calls = [...usualCalls, ["api", "web"]] as const;
        await applyMesh(world, meshText("cilium", calls), "api may");
        expect(await reaches(world, "api1", "api", endpoint.web, 8080)).toBe(true);
        await applyMesh(world, meshText("cilium"), "api may not");
        await nobodyElsePasses();
        const ends = stopped + (isLong ? 3 : 0) * minutes;
        await until("etcd was away long enough", 4 * minutes, async () =>
          Date.now() >= ends ? true : undefined,
        );
        await nobodyElsePasses();
      } finally {
        await must(world, "hub", ["systemctl", "kill", "-s", "CONT", "etcd-lab"]);
      }
      expect(failures(await printedSince(world, "web1", "web", since))).toEqual([]);
    },
    8 * minutes,
  );

  it(
    "makes an endpoint again that was lost while etcd was away, once it is back, and no address is leaked",
    async () => {
      await must(world, "hub", ["systemctl", "kill", "-s", "STOP", "etcd-lab"]);
      const since = await now(world, "web1");
      try {
        const link = (await must(world, "web1", ["cat", "/etc/weft/cilium/endpoints/web"])).match(
          /^LINK=(.*)$/m,
        )?.[1];
        await must(world, "web1", ["ip", "link", "del", link ?? ""]);
        await until("the node says so", minutes, async () =>
          /agent is not ready|enforced by Cilium/.test(await must(world, "hub", ["weft", "status"]))
            ? true
            : undefined,
        );
        expect(await reaches(world, "web1", "web", endpoint.api, 8080)).toBe(false);
        await nobodyElsePasses();
      } finally {
        await must(world, "hub", ["systemctl", "kill", "-s", "CONT", "etcd-lab"]);
      }
      await until("web reaches api again", 4 * minutes, async () =>
        (await reaches(world, "web1", "web", endpoint.api, 8080)) ? true : undefined,
      );
      await answersSince(world, "web1", "web", since);
      await nobodyElsePasses();
      expect(await allocations(world, "web1")).toEqual({ [endpoint.web]: "weft-web" });
    },
    8 * minutes,
  );

  it.each(["reboot", "crash"] as const)(
    "after a %s services are in their namespaces with their identities, by themselves",
    async (how) => {
      const machine = how === "reboot" ? "api1" : "web1";
      if (how === "reboot") await world.lab.reboot(machine);
      else {
        await world.lab.crash(machine);
        await listenAtWeb();
      }
      const since = await now(world, "web1");
      await answersSince(world, "web1", "web", since);
      await answersSince(world, "hub", "old", await now(world, "hub"));
      expect(await endpointsOf(world)).toEqual(endpoint);
      await nobodyElsePasses();
    },
    4 * minutes,
  );

  it(
    "goes back to nftables, and leaves no trace",
    async () => {
      await must(world, "web1", ["systemctl", "stop", "probe-web"]);
      const began = await now(world, "hub");
      process.stderr.write(await applyMesh(world, meshText("nftables"), "back"));
      const since = await now(world, "hub");
      await answersSince(world, "hub", "old", since);
      await answersSince(world, "web1", "web", await now(world, "web1"));
      for (const [machine, service] of [
        ["web1", "web"],
        ["hub", "old"],
      ] as const)
        process.stderr.write(
          `back: ${service} had no answer for ${await longestGap(world, machine, service, began)} s\n`,
        );
      for (const machine of ciliumMachines)
        expect(await ciliumTraces(world, machine)).toEqual(before.get(machine));
    },
    4 * minutes,
  );
});
