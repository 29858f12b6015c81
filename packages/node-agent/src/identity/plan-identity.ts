// In: what identity this node should serve, the mesh's roots, what there is. Out: the steps between, and what stands in
// their way. Pure. An agent whose SVID is still good is only started: it needs no exchange SVID, and the one without
// a good SVID is not started before it can attest.
import type { ConditionCode } from "@weft/shared/model/condition";
import type { DesiredContent } from "@weft/shared/model/desired";
import { spireAgentId } from "@weft/shared/model/ids";
import type { Step } from "@weft/shared/model/step";
import { renderSpireAgentConf } from "@weft/shared/render/spire-agent-conf";
import { places, unitNames } from "../state/places.ts";
import type { IdentityObserved } from "./observe-identity.ts";
import { spireHealthPort } from "./spire-health.ts";

export interface IdentityWish {
  readonly desired: DesiredContent;
  readonly rootsPem: string;
  readonly now: Date;
  /** The coordinator is there to mint an exchange SVID. */
  readonly canMint: boolean;
}

export interface IdentityPlan {
  readonly steps: readonly Step[];
  readonly conditions: readonly { readonly code: ConditionCode; readonly detail: string }[];
}

export function wantedConfig(desired: DesiredContent): string {
  return renderSpireAgentConf({
    trustDomain: desired.trustDomain,
    serverAddress: desired.identity.spireServerAddress,
    serverPort: desired.identity.spireServerPort,
    dataDirectory: places.spireData,
    socketPath: places.spireSocket,
    bootstrapPath: places.spireBootstrap,
    exchangeKeyPath: places.exchangeKey,
    exchangeCertificatePath: places.exchangeCertificate,
    healthPort: spireHealthPort,
  });
}

function needsAttestation(observed: IdentityObserved, now: Date): string | undefined {
  if (observed.svidExpires === undefined) return "it has no SVID yet";
  if (observed.svidExpires <= now) return `its SVID expired at ${observed.svidExpires.toISOString()}`;
  return observed.refused ? "the SPIRE server does not take its SVID any more" : undefined;
}

export function planIdentity(
  { desired, rootsPem, now, canMint }: IdentityWish,
  observed: IdentityObserved,
): IdentityPlan {
  const files: Step[] = [];
  if (!observed.componentGood) files.push({ kind: "fetchComponent", args: { component: "spire-agent" } });
  if (observed.bootstrap !== rootsPem)
    files.push({ kind: "writeFile", args: { path: places.spireBootstrap, mode: 0o644, text: rootsPem } });
  const config = wantedConfig(desired);
  const configChanged = observed.config !== config;
  if (configChanged)
    files.push({ kind: "writeFile", args: { path: places.spireConfig, mode: 0o644, text: config } });

  const reason = needsAttestation(observed, now);
  // A healthy agent whose file we cannot make sense of is left alone.
  if (reason !== undefined && !observed.healthy) {
    if (!canMint)
      return {
        steps: files.filter((step) => step.kind !== "fetchComponent"),
        conditions: [
          {
            code: "SPIRE_AGENT_DOWN",
            detail: `${reason}, and the coordinator, which lets it attest, cannot be reached`,
          },
        ],
      };
    const agentId = spireAgentId(desired.trustDomain, desired.node);
    return { steps: [...files, { kind: "attestSpireAgent", args: { agentId } }], conditions: [] };
  }
  const { unit } = observed;
  const restart = configChanged || !observed.componentGood;
  const start: Step[] =
    restart || unit.active !== "active" || !unit.enabled
      ? [{ kind: "enableUnit", args: { unit: unitNames.spireAgent, restart } }]
      : [];
  const isDown = start.length === 0 && !observed.healthy;
  return {
    steps: [...files, ...start],
    conditions: isDown
      ? [
          {
            code: "SPIRE_AGENT_DOWN",
            detail:
              "it runs and is not ready; started without its server it waits for it before it opens its socket",
          },
        ]
      : [],
  };
}
