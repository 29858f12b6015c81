// The proofs of the quickstart on a lab of this test's own, unshortened: every machine leaves at the end, and the boot
// proof is shown to fail when the early rules are masked.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { bringUp, installGuest } from "../../scripts/quickstart-src/bring-up.ts";
import { guestMachine, members } from "../../scripts/quickstart-src/demo-mesh.ts";
import { editUnderTraffic } from "../../scripts/quickstart-src/proofs/edit.ts";
import { deadResolverFallsThrough, namesResolve } from "../../scripts/quickstart-src/proofs/names.ts";
import { leaveRestores, removeNode, snapshot } from "../../scripts/quickstart-src/proofs/removal.ts";
import {
  apiCannotReachWeb,
  malloryIsRefusedAtHome,
  rogueIsRefused,
  webReachesApi,
} from "../../scripts/quickstart-src/proofs/services.ts";
import {
  coordinatorIsNotNeeded,
  fleetEnforced,
  probeThroughReboot,
  statusOf,
} from "../../scripts/quickstart-src/proofs/survival.ts";
import { joinEverybody } from "../../scripts/quickstart-src/story.ts";
import { must, type Proof, type World } from "../../scripts/quickstart-src/world.ts";

const name = `mesh-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };

describe("a mesh of real machines", () => {
  let world: World;
  const before = new Map<string, string>();
  let lastFailure: unknown;

  beforeAll(async () => {
    await labUp(labNames(name), 1, progress);
    world = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };
    await installGuest(world);
    for (const machine of ["web1", "api1", guestMachine]) before.set(machine, await snapshot(world, machine));
    await bringUp(world);
    await joinEverybody(world);
  }, 240_000);

  afterAll(async () => {
    await labDown(labNames(name), progress);
  }, 60_000);

  // the proofs follow one another as the quickstart tells them: after a failure the rest would only mislead
  const step = (claim: string, run: () => Promise<void>): void => {
    it(claim, async () => {
      if (lastFailure !== undefined)
        throw new Error("not tried: an earlier step failed", { cause: lastFailure });
      try {
        await run();
      } catch (error) {
        lastFailure = error;
        throw error;
      }
    }, 180_000);
  };
  const proof = (item: Proof): void =>
    step(item.claim, async () => expect(await item.run(world)).not.toBe(""));

  for (const item of [webReachesApi, apiCannotReachWeb, malloryIsRefusedAtHome, rogueIsRefused]) proof(item);
  proof(namesResolve);
  proof(deadResolverFallsThrough);

  step("status --json shows every node with identity expiry and facts", async () => {
    const nodes: readonly unknown[] = await statusOf(world);
    for (const machine of members)
      expect(nodes).toContainEqual(
        expect.objectContaining({
          name: machine,
          state: "Online",
          revision: expect.objectContaining({ verdict: "ENFORCED" }),
          identity: expect.objectContaining({
            spireAgentHealthy: true,
            nodeSvidExpires: expect.stringMatching(/^20/),
          }),
          facts: expect.objectContaining({
            kernel: expect.any(String),
            btf: expect.any(Boolean),
            ciliumVerdicts: [
              expect.objectContaining({ version: "1.18.x" }),
              expect.objectContaining({ version: "1.19.x" }),
            ],
          }),
        }),
      );
  });

  proof(coordinatorIsNotNeeded);

  step("a crash of api1 opens nothing either", async () => {
    await probeThroughReboot(world, () => world.lab.crash("api1"));
  });

  step("the same prober does get answers when weft-restore is masked, so it can see a leak", async () => {
    // systemd masks only where no unit file stands in /etc
    const unit = "/etc/systemd/system/weft-restore.service";
    await must(world, "api1", ["mv", unit, "/var/tmp/weft-restore.service"]);
    await must(world, "api1", ["systemctl", "mask", "-q", "weft-restore"]);
    try {
      await expect(probeThroughReboot(world, () => world.lab.reboot("api1"))).rejects.toThrow(
        /were answered/,
      );
    } finally {
      await must(world, "api1", ["systemctl", "unmask", "-q", "weft-restore"]);
      await must(world, "api1", ["mv", "/var/tmp/weft-restore.service", unit]);
      await must(world, "api1", ["systemctl", "daemon-reload"]);
      await fleetEnforced(world, members);
    }
  });

  proof(editUnderTraffic);
  proof(removeNode);

  for (const machine of [guestMachine, "web1", "api1"])
    step(`leave gives ${machine} back byte for byte`, async () => {
      // the demo's own services go the way their owner would take them away
      const units = ["web.service", "api.service", "early.socket", "early@.service"];
      await world.lab.exec(machine, ["systemctl", "disable", "--now", "-q", ...units.slice(0, 3)]);
      await must(world, machine, ["rm", "-f", ...units.map((unit) => `/etc/systemd/system/${unit}`)]);
      await must(world, machine, ["systemctl", "daemon-reload"]);
      await leaveRestores(world, machine, before.get(machine) ?? "");
    });
});
