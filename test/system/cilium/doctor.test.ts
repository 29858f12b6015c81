// `weft-node-agent doctor` beside a real agent of Cilium on the same machine: it tells of it, of sources that are not checked,
// and of what is left of one that has ended. Needs WEFT_CILIUM_DIR (see policies.test.ts).
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openLab } from "../../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../../scripts/quickstart-src/artefacts.ts";
import { initHub, installMachine } from "../../../scripts/quickstart-src/bring-up.ts";
import { AgentMachines } from "../../support/cilium/agent-machines.ts";

const directory = process.env["WEFT_CILIUM_DIR"];
const minutes = 60_000;
const name = `cilium-doctor-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };
const described = directory === undefined ? describe.skip : describe;

described("the doctor, beside an agent of Cilium (needs WEFT_CILIUM_DIR)", () => {
  const lab = openLab(name);
  const machines = new AgentMachines(lab, { etcd: "hub", cluster: "weft-shop" });
  /** What it says of Cilium, whatever else there is. */
  const doctor = async () => {
    const { stdout } = await lab.exec("hub", ["weft-node-agent", "doctor"]);
    return stdout;
  };

  beforeAll(async () => {
    await labUp(labNames(name), 0, progress, "cilium");
    const world = { lab, artefacts: findArtefacts(), say: () => undefined };
    await installMachine(world, "hub", "coordinator");
    await initHub(world);
    await machines.startEtcd();
  }, 6 * minutes);

  afterAll(() => labDown(labNames(name), progress), 2 * minutes);

  it(
    "tells of it, of sources that are not checked, and of what is left of it",
    async () => {
      expect(await doctor()).not.toMatch(/cilium/i);
      await machines.startAgent("hub", directory ?? "");
      await machines.untilReady("hub");
      const checked = await doctor();
      expect(checked).toMatch(/a Cilium agent .* runs: 0 endpoints/);
      expect(checked).not.toMatch(/cilium-sources/);
      await machines.verifySources("hub", false);
      expect(await doctor()).toMatch(/cilium-sources/);
      await lab.run("hub", ["systemctl", "stop", "cilium-agent"]);
      expect(await doctor()).toMatch(/no Cilium agent answers, but maps|does not answer as it should/);
    },
    6 * minutes,
  );
});
