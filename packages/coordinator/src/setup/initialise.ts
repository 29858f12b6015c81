// In: the wish. Out: a running mesh of one machine. Each phase finds out what is there already and goes on from it, so
// that a run after a crash at any point ends like one without.
import type { CliContext } from "../cli/context.ts";
import { sealRoot } from "../trust/mesh-root.ts";
import { checkMachine, checkRoot } from "./check-machine.ts";
import { bringUpCoordinator } from "./coordinator-phase.ts";
import { checkExistingMesh } from "./existing-mesh.ts";
import { applyFirstRevision } from "./first-revision.ts";
import { joinHub, waitEnforced } from "./hub-agent.ts";
import type { InitWish } from "./init-wish.ts";
import { layKeys, obtainPassphrase, planKeys } from "./mesh-keys.ts";
import { makeNarrator } from "./narrator.ts";
import { places } from "./places.ts";
import { bringUpSpire } from "./spire-phase.ts";

/** @param seal tests take one that costs less */
export async function initialise(
  wish: InitWish,
  context: CliContext,
  socket: string,
  seal = sealRoot,
): Promise<void> {
  const { machine, terminal, signal } = context;
  const { phase } = makeNarrator(terminal, context.now);
  checkRoot(machine);
  await phase("checks", async () => {
    await checkExistingMesh(machine, wish);
    return checkMachine(machine, wish);
  });

  const plan = await planKeys(machine, context.now());
  const passphrase = plan.kind === "keep" ? undefined : await obtainPassphrase(plan, wish, machine, terminal);
  let pin = "";
  await phase("keys", async () => {
    ({ pin } = await layKeys(machine, plan, wish, passphrase, context.now(), seal));
    if (plan.kind === "keep") return "mesh root and signing key are there";
    return plan.kind === "make"
      ? "mesh root made and sealed, signing key signed"
      : "signing key signed by the mesh root";
  });

  await phase("SPIRE server", () => bringUpSpire(machine, wish, context));
  await phase("coordinator", () => bringUpCoordinator(machine, wish, context, socket));
  const control = context.connect(socket);
  try {
    await phase("mesh file", () => applyFirstRevision(machine, wish, control, context));
    if (wish.agent) {
      await phase("node agent", () => joinHub(machine, wish, control, signal));
      await phase("policy", () => waitEnforced(wish, control, signal));
    }
  } finally {
    control.close();
  }
  await tellWhatNext(wish, context, pin);
}

async function tellWhatNext(wish: InitWish, { machine, terminal }: CliContext, pin: string): Promise<void> {
  terminal.out("");
  terminal.out(`mesh ${wish.mesh} is up (${wish.trustDomain}), its hub is ${wish.hub} at ${wish.address}`);
  terminal.out(`pin: ${pin}`);
  if (await machine.exists(places.sealedRoot)) {
    terminal.out(`mesh root: ${places.sealedRoot}, sealed with the passphrase`);
    terminal.out(
      "  move this file off the machine and keep it with the passphrase; it is needed once a year, and nothing",
    );
    terminal.out("  can replace it");
  }
  terminal.out(`next: name another machine under nodes: in ${places.meshFile}, then`);
  terminal.out(`  weft apply ${places.meshFile} --wait`);
  terminal.out("  weft node add web1");
}
