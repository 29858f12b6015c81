// In: the machine. Out: what there is of the SPIRE agent: its files, its unit, its SVID, its health.
import type { ComponentStore } from "../components/component-store.ts";
import type { Host, UnitState } from "../host/host.ts";
import { places, unitNames } from "../state/places.ts";
import { readAgentSvidExpiry } from "./spire-files.ts";
import type { HealthProbe } from "./spire-health.ts";

export interface IdentityObserved {
  readonly componentGood: boolean;
  readonly config: string | undefined;
  readonly bootstrap: string | undefined;
  readonly unit: UnitState;
  readonly svidExpires: Date | undefined;
  readonly healthy: boolean;
  /** The server does not take the agent's SVID any more (evicted, other authority): only a new attestation helps. */
  readonly refused: boolean;
}

const refusals = /PermissionDenied|must reattest|certificate signed by unknown authority|AGENT_NOT_ATTESTED/;

/** The journal is asked only of an agent that keeps ending. */
async function isRefused(host: Host, unit: UnitState): Promise<boolean> {
  if (unit.active === "active" || !unit.enabled) return false;
  const args = ["-u", unitNames.spireAgent, "-n", "20", "-o", "cat", "--no-pager"];
  const { stdout } = await host.exec.run("journalctl", args, { allow: [0, 1] });
  return refusals.test(stdout);
}

export async function observeIdentity(
  host: Host,
  components: ComponentStore,
  health: HealthProbe,
): Promise<IdentityObserved> {
  const unit = await host.units.state(unitNames.spireAgent);
  return {
    componentGood: await components.isGood("spire-agent"),
    config: await host.files.readText(places.spireConfig),
    bootstrap: await host.files.readText(places.spireBootstrap),
    unit,
    svidExpires: await readAgentSvidExpiry(host.files),
    healthy: unit.active === "active" && (await health()),
    refused: await isRefused(host, unit),
  };
}
