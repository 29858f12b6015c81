// In: unit names. Out: what systemd knows of them, and changes to them. A refusal carries the unit's last log lines.
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import type { Exec, UnitState, Units } from "./host.ts";

/** systemd's own default for a start job is 90 s. */
const jobTimeoutMs = 100_000;

/** `systemctl show -p ActiveState -p UnitFileState -p LoadState` as a state. */
export function parseUnitShow(text: string): UnitState {
  const fields = new Map(
    text.split("\n").map((line): [string, string] => {
      const equals = line.indexOf("=");
      return [line.slice(0, equals), line.slice(equals + 1)];
    }),
  );
  return {
    active: fields.get("ActiveState") ?? "inactive",
    enabled: fields.get("UnitFileState") === "enabled",
    exists: fields.get("LoadState") === "loaded",
  };
}

export class LinuxUnits implements Units {
  readonly #exec: Exec;

  constructor(exec: Exec) {
    this.#exec = exec;
  }

  async state(unit: string): Promise<UnitState> {
    const properties = ["ActiveState", "UnitFileState", "LoadState"].flatMap((name) => ["-p", name]);
    return parseUnitShow((await this.#exec.run("systemctl", ["show", ...properties, "--", unit])).stdout);
  }

  async #ask(verb: string, unit: string): Promise<void> {
    try {
      await this.#exec.run("systemctl", [verb, "--", unit], { timeoutMs: jobTimeoutMs });
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      const log = await this.#lastLines(unit);
      throw new WeftError("WEFT-E402", `systemctl ${verb} ${unit} failed`, {
        why: [failure.why ?? failure.message, log].filter((part) => part !== "").join("; "),
        hint: `read journalctl -u ${unit}`,
        cause: failure,
      });
    }
  }

  async #lastLines(unit: string): Promise<string> {
    const args = ["-u", unit, "-n", "3", "-o", "cat", "--no-pager"];
    const log = await this.#exec.run("journalctl", args, { allow: [0, 1] });
    return log.stdout.trim().split("\n").join("; ").slice(0, 600);
  }

  enable(unit: string): Promise<void> {
    return this.#ask("enable", unit);
  }

  disable(unit: string): Promise<void> {
    return this.#ask("disable", unit);
  }

  start(unit: string): Promise<void> {
    return this.#ask("start", unit);
  }

  restart(unit: string): Promise<void> {
    return this.#ask("restart", unit);
  }

  stop(unit: string): Promise<void> {
    return this.#ask("stop", unit);
  }

  reloadUnit(unit: string): Promise<void> {
    return this.#ask("reload", unit);
  }

  async reload(): Promise<void> {
    await this.#exec.run("systemctl", ["daemon-reload"], { timeoutMs: jobTimeoutMs });
  }
}
