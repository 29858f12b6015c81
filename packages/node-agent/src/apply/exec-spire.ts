// In: the SPIRE agent's own ID. Out: the agent attested and healthy. Its exchange SVID is minted right before, on a
// fresh key, lies there (0600) while the agent attests, and is then replaced by a placeholder that attests nothing.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { StepArgs } from "@weft/shared/model/step";
import { componentPath } from "../components/component-store.ts";
import type { Host } from "../host/host.ts";
import { type KeyPairFiles, makePlaceholder } from "../identity/placeholder.ts";
import { agentDataPath, readAgentSvidExpiry } from "../identity/spire-files.ts";
import type { HealthProbe } from "../identity/spire-health.ts";
import { places, unitNames } from "../state/places.ts";
import type { Executor, Undo } from "./executor.ts";

const healthyWithinMs = 15_000;
const askEveryMs = 100;
const unit = unitNames.spireAgent;

export interface SpireDuties {
  readonly host: Host;
  readonly health: HealthProbe;
  /** From the coordinator; throws while it is away. */
  readonly mint: (signal: AbortSignal) => Promise<KeyPairFiles>;
}

export class AttestSpireAgent implements Executor<"attestSpireAgent"> {
  readonly #duties: SpireDuties;

  constructor(duties: SpireDuties) {
    this.#duties = duties;
  }

  async apply(_args: StepArgs["attestSpireAgent"], signal: AbortSignal): Promise<Undo> {
    const { host, mint } = this.#duties;
    const before = await host.units.state(unit);
    if (!before.exists)
      throw new WeftError("WEFT-E402", `there is no unit ${unit}`, {
        hint: "install this machine with install.sh agent",
      });
    await host.exec.run(componentPath("spire-agent"), ["validate", "-config", places.spireConfig]);
    const exchange = await mint(signal);
    const undo = async () => {
      await host.units.stop(unit);
      if (!before.enabled) await host.units.disable(unit);
      await this.#putDown(makePlaceholder());
    };
    try {
      await host.units.stop(unit);
      // An SVID the server has refused, or one that is over: with it the agent would not ask for another.
      await host.files.remove(agentDataPath);
      await this.#putDown(exchange);
      await host.units.enable(unit);
      await host.units.start(unit);
      await this.#untilHealthy(signal);
    } catch (failure) {
      await undo();
      throw failure;
    }
    await this.#putDown(makePlaceholder());
    return undo;
  }

  async #putDown({ certificatePem, keyPem }: KeyPairFiles): Promise<void> {
    const { files } = this.#duties.host;
    await files.write(places.exchangeKey, keyPem, { mode: 0o600 });
    await files.write(places.exchangeCertificate, certificatePem, { mode: 0o600 });
  }

  async #untilHealthy(signal: AbortSignal): Promise<void> {
    const { host, health } = this.#duties;
    const deadline = host.clock.now().getTime() + healthyWithinMs;
    while (!(await health())) {
      if (host.clock.now().getTime() >= deadline)
        throw new WeftError("WEFT-E402", `the SPIRE agent was not ready within ${healthyWithinMs / 1000} s`, {
          why: await this.#lastLines(),
          hint: `read journalctl -u ${unit}`,
        });
      await host.clock.sleep(askEveryMs, signal);
    }
  }

  async #lastLines(): Promise<string> {
    const args = ["-u", unit, "-n", "3", "-o", "cat", "--no-pager"];
    const { stdout } = await this.#duties.host.exec.run("journalctl", args, { allow: [0, 1] });
    return stdout.trim().split("\n").join("; ").slice(0, 600);
  }

  async verify(): Promise<void> {
    const { host, health } = this.#duties;
    const { active, enabled } = await host.units.state(unit);
    const expires = await readAgentSvidExpiry(host.files);
    if (active !== "active" || !enabled || expires === undefined || !(await health()))
      throw new WeftError(
        "WEFT-E402",
        `the SPIRE agent is ${active}, and ${expires === undefined ? "has no SVID" : "is not ready"}`,
      );
  }
}
