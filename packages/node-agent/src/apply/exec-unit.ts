// In: a unit. Out: it enabled and running, or disabled and stopped, with an undo to how systemd had it before.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { StepArgs } from "@weft/shared/model/step";
import type { UnitState, Units } from "../host/host.ts";
import type { Executor, Undo } from "./executor.ts";

async function bringTo(units: Units, unit: string, before: UnitState): Promise<void> {
  if (before.enabled) await units.enable(unit);
  else await units.disable(unit);
  if (before.active === "active") await units.restart(unit);
  else await units.stop(unit);
}

export class EnableUnit implements Executor<"enableUnit"> {
  readonly #units: Units;

  constructor(units: Units) {
    this.#units = units;
  }

  async apply({ unit, restart }: StepArgs["enableUnit"]): Promise<Undo> {
    const before = await this.#units.state(unit);
    if (!before.exists)
      throw new WeftError("WEFT-E402", `there is no unit ${unit}`, {
        hint: "install this machine with install.sh agent",
      });
    try {
      if (!before.enabled) await this.#units.enable(unit);
      if (restart) await this.#units.restart(unit);
      else await this.#units.start(unit);
    } catch (failure) {
      await bringTo(this.#units, unit, before);
      throw failure;
    }
    return () => bringTo(this.#units, unit, before);
  }

  async verify({ unit }: StepArgs["enableUnit"]): Promise<void> {
    const { active, enabled } = await this.#units.state(unit);
    if (active !== "active" || !enabled)
      throw new WeftError("WEFT-E402", `${unit} is ${active} and ${enabled ? "" : "not "}enabled`, {
        hint: `read journalctl -u ${unit}`,
      });
  }
}

export class DisableUnit implements Executor<"disableUnit"> {
  readonly #units: Units;

  constructor(units: Units) {
    this.#units = units;
  }

  async apply({ unit }: StepArgs["disableUnit"]): Promise<Undo> {
    const before = await this.#units.state(unit);
    await this.#units.disable(unit);
    await this.#units.stop(unit);
    return () => bringTo(this.#units, unit, before);
  }

  async verify({ unit }: StepArgs["disableUnit"]): Promise<void> {
    const { active, enabled } = await this.#units.state(unit);
    if (active === "active" || enabled) throw new WeftError("WEFT-E402", `${unit} is still there: ${active}`);
  }
}
