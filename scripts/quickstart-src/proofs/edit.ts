// Proof that a policy edit is enforced when `apply --wait` returns: allowed traffic loses nothing, refused traffic stops.

import { applyMesh } from "../bring-up.ts";
import { apiId, apiUrl, guestMachine, meshGuestRefused, node, webApp } from "../demo-mesh.ts";
import { kernelRevision, mustFail, type Proof, ProofFailed, until, type World } from "../world.ts";
import { call } from "./services.ts";

interface Flow {
  readonly lines: readonly string[];
  answers(): number;
  stop(): Promise<unknown>;
}

/** One connection that is kept and used every 20 ms. */
export async function startFlow(world: World, machine: string, user: string): Promise<Flow> {
  const argv = [node, webApp, "--get", apiUrl, "--expect", apiId, "--keepalive", "--interval", "20"] as const;
  const running = await world.lab.spawn(machine, argv, { user });
  const { lines } = running;
  const answers = (): number => lines.filter((line) => line.includes('"status":200')).length;
  await until(
    `${machine}: a running flow of ${user}`,
    20_000,
    async () => (answers() > 10 ? true : undefined),
    20,
  );
  return { lines, answers, stop: () => running.stop() };
}

const broken = (flow: Flow): string | undefined =>
  flow.lines.find((line) => /"?broken"?|error|reset|refused/i.test(line));

export const editUnderTraffic: Proof = {
  claim:
    "policy edited while traffic flows: apply --wait returns when the kernels carry it; allowed traffic loses no connection, a refused one stops",
  async run(world) {
    await until(
      "guest -> api, allowed so far",
      40_000,
      () => call(world, guestMachine, "guest", apiUrl, apiId),
      300,
    );
    const allowed = await startFlow(world, "web1", "web");
    const refused = await startFlow(world, guestMachine, "guest");
    try {
      const before = await kernelRevision(world, "api1");
      const output = await applyMesh(world, meshGuestRefused, "guest may no longer call api");
      const [api1, n1] = await Promise.all([
        kernelRevision(world, "api1"),
        kernelRevision(world, guestMachine),
      ]);
      if (api1 <= before || n1 !== api1)
        throw new ProofFailed("the kernels do not carry the revision", `${before} -> api1 ${api1}, n1 ${n1}`);
      await until("the end of guest's connection", 10_000, async () => broken(refused), 20);
      const atEnd = refused.answers();
      const atApply = allowed.answers();
      await until(
        "more answers to web",
        10_000,
        async () => (allowed.answers() > atApply + 20 ? true : undefined),
        20,
      );
      if (refused.answers() !== atEnd)
        throw new ProofFailed("guest still gets answers", refused.lines.slice(-3).join("\n"));
      const trouble = broken(allowed);
      if (trouble !== undefined) throw new ProofFailed("web's connection broke", trouble);
      const sentence = await mustFail(
        world,
        guestMachine,
        [node, webApp, "--get", apiUrl, "--expect", apiId],
        /refused|reset|unreachable|timed? ?out/i,
        { user: "guest", timeoutMs: 20_000 },
      );
      return `${output.trim().split("\n").at(-1) ?? ""}; kernels of api1 and n1 at revision ${api1}; web: ${allowed.answers()} answers on one connection; guest: ${sentence}`;
    } finally {
      await Promise.allSettled([allowed.stop(), refused.stop()]);
    }
  },
};
