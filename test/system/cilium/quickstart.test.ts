// The quickstart, claim by claim, with web1 and api1 on Cilium by an etcd that the mesh runs, the others on nftables; and that no moment is open while such
// a machine boots. Needs WEFT_CILIUM_DIR, a directory with cilium-agent, cilium-dbg, cilium-health-responder and bpf/ of one version.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { labDown, labUp } from "../../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../../scripts/lab-src/names.ts";
import { members } from "../../../scripts/quickstart-src/demo-mesh.ts";
import { callWorks, type Prober, startProber } from "../../../scripts/quickstart-src/proofs/services.ts";
import { fleetEnforced } from "../../../scripts/quickstart-src/proofs/survival.ts";
import { runQuickstart } from "../../../scripts/quickstart-src/story.ts";
import { must, proberSource } from "../../../scripts/quickstart-src/world.ts";
import { giveCilium } from "../../support/cilium/cilium-mesh.ts";
import { endpointsOf, quickstartWorld } from "../../support/cilium/quickstart-world.ts";

const directory = process.env["WEFT_CILIUM_DIR"];
const minutes = 60_000;
const name = `cq-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };
const say = (line: string) => process.stderr.write(`${line}\n`);
const world = quickstartWorld(name, "{ nodes: [hub] }", say);
const described = directory === undefined ? describe.skip : describe;

/** A service's own tries, from its namespace, before the service itself is started. */
const earlyCaller = (address: string) => `[Unit]
Requires=weft-netns@api.service
After=weft-netns@api.service
Before=api.service

[Service]
User=api
NetworkNamespacePath=/run/netns/weft-api
ExecStart=/usr/bin/perl /var/tmp/prober.pl 240 ${address} 8080 10.77.0.11 8080 10.77.0.10 22
StandardOutput=file:/var/tmp/early-caller

[Install]
WantedBy=multi-user.target
`;

described("the quickstart with nodes on Cilium (needs WEFT_CILIUM_DIR)", () => {
  beforeAll(async () => {
    await labUp(labNames(name), 1, progress, "cilium");
    await giveCilium(world, directory ?? "");
  }, 5 * minutes);
  afterAll(() => labDown(labNames(name), progress), 2 * minutes);

  it("proves every claim", () => runQuickstart(world), 10 * minutes);

  it.each(["reboot", "crash"] as const)(
    "is open at no moment while a node on Cilium comes back from a %s, from outside or from inside",
    async (how) => {
      const { web, api } = await endpointsOf(world);
      for (const machine of ["rogue", "hub"])
        await must(world, machine, ["ip", "route", "replace", "10.42.12.0/24", "via", "10.77.0.12"]);
      await world.lab.writeFile("api1", "/var/tmp/prober.pl", proberSource(), 0o755);
      await world.lab.writeFile("api1", "/etc/systemd/system/early-caller.service", earlyCaller(web), 0o644);
      await must(world, "api1", ["systemctl", "enable", "-q", "early-caller.service"]);
      // each by itself: what is not answered takes a prober its time
      const tries = [
        ...(["rogue", "hub"] as const).flatMap((machine) => [
          [machine, undefined, api, 8080] as const,
          [machine, undefined, api, 8090] as const,
        ]),
        ["rogue", undefined, "10.77.0.12", 8080] as const,
        ["rogue", undefined, "10.77.0.12", 8090] as const,
        ["web1", "mallory", api, 8080] as const,
        ["web1", "mallory", "10.77.0.12", 8080] as const,
        // one that may call port 8080 of api, and nothing else of it
        ["web1", "web", api, 8090] as const,
      ];
      const probers: { readonly who: string; readonly prober: Prober }[] = [];
      for (const [machine, user, address, port] of tries) {
        const prober = await startProber(world, machine, [[address, port]], user);
        probers.push({ who: `${user ?? machine} -> ${address}:${port}`, prober });
      }
      await world.lab[how]("api1");
      const seen = (await callWorks(world)).hello;
      expect(seen).toBe("spiffe://mesh.internal/web");
      await fleetEnforced(world, members);
      for (const { who, prober } of probers) say(`${how}: ${who}: ${await prober.finish()}`);
      await must(world, "api1", ["systemctl", "stop", "early-caller.service"]);
      const early = await must(world, "api1", ["cat", "/var/tmp/early-caller"]);
      say(`${how}: from inside: ${early.trim()}`);
      expect(early).toMatch(/^READY\nDONE attempts=[1-9]\d* open=0 /);
    },
    5 * minutes,
  );
});
