// In: a new policy, and how it stands beside the confirmed one. Out: it confirmed, by way of the dead-man switch.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { StepArgs } from "@weft/shared/model/step";
import type { Host } from "../host/host.ts";
import { readConfirmed } from "../policy/confirmed.ts";
import type { DeadMan } from "../policy/dead-man.ts";
import { goBack } from "../policy/go-back.ts";
import { readCarried } from "../policy/kernel-table.ts";
import { places } from "../state/places.ts";
import type { Executor, Undo } from "./executor.ts";

type Args = StepArgs["armPolicy"];

export class ArmPolicy implements Executor<"armPolicy"> {
  readonly #host: Host;
  readonly #deadMan: DeadMan;

  constructor(host: Host, deadMan: DeadMan) {
    this.#host = host;
    this.#deadMan = deadMan;
  }

  async apply(args: Args, signal: AbortSignal): Promise<Undo> {
    await this.#deadMan.put(args, signal);
    // Confirmed by a proof: nothing that fails after it is a reason to go back without one.
    return () => goBack(this.#host);
  }

  async verify({ revision, digest, text }: Args): Promise<void> {
    const kernel = await readCarried(this.#host.exec);
    if (kernel?.revision !== revision || kernel.digest !== digest)
      throw new WeftError("WEFT-E400", `the kernel does not carry revision ${revision}`);
    if ((await readConfirmed(this.#host.files))?.text !== text)
      throw new WeftError("WEFT-E002", `${places.confirmedPolicy} does not hold what the kernel has`);
  }
}
