// The order of the quickstart: what is done, and after each part the claims that can be shown then.
import { bringUp, installGuest, invite, join, joinCommand, joinWithRefusals } from "./bring-up.ts";
import { guestMachine, members } from "./demo-mesh.ts";
import { editUnderTraffic } from "./proofs/edit.ts";
import { deadResolverFallsThrough, namesResolve } from "./proofs/names.ts";
import { leaveRestores, removeNode, snapshot } from "./proofs/removal.ts";
import {
  apiCannotReachWeb,
  malloryIsRefusedAtHome,
  rogueIsRefused,
  webReachesApi,
} from "./proofs/services.ts";
import { coordinatorIsNotNeeded, fleetEnforced } from "./proofs/survival.ts";
import { mustFail, type Proof, type World } from "./world.ts";

export async function show(world: World, proof: Proof): Promise<void> {
  const seen = await proof.run(world);
  world.say(`PROVEN  ${proof.claim}`);
  world.say(`        ${seen}`);
}

export async function joinEverybody(world: World): Promise<void> {
  const [refusals, invitation] = await Promise.all([
    joinWithRefusals(world),
    // good from any address, so that a stranger's second use is refused for being the second
    invite(world, "api1", "--from", "any").then(async (made) => {
      await join(world, "api1", made);
      return made;
    }),
    invite(world, guestMachine).then((made) => join(world, guestMachine, made)),
  ]);
  const nodes = await fleetEnforced(world, [...members, guestMachine]);
  world.say(
    `joined: ${nodes.map((item) => `${item.name} ${item.state} ${item.revision.verdict}`).join(", ")}`,
  );
  await show(world, {
    claim: "a wrong pin, an expired token and a used one are refused, each with one plain sentence",
    run: async () => {
      // rogue has the program (anybody may have it) and a token that was seen after api1 used it
      const used = await mustFail(world, "rogue", joinCommand(invitation.pin), /used|taken|already/i, {
        input: `${invitation.token}\n`,
        timeoutMs: 30_000,
      });
      return `${refusals.wrongPin} | ${refusals.expired} | ${used}`;
    },
  });
}

export async function runQuickstart(world: World): Promise<void> {
  await installGuest(world);
  const before = await snapshot(world, guestMachine);
  await bringUp(world);
  await joinEverybody(world);
  for (const proof of [
    webReachesApi,
    apiCannotReachWeb,
    malloryIsRefusedAtHome,
    rogueIsRefused,
    namesResolve,
    deadResolverFallsThrough,
    coordinatorIsNotNeeded,
    editUnderTraffic,
    removeNode,
  ])
    await show(world, proof);
  await show(world, {
    claim: "leave gives resolv.conf back byte for byte and leaves no file, unit, rule or entry",
    run: () => leaveRestores(world, guestMachine, before),
  });
  await fleetEnforced(world, members);
}
