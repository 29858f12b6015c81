import { describe, expect, it } from "@jest/globals";
import { emptyContent } from "../../../../test/support/desired.ts";
import type { IdentityObserved } from "./observe-identity.ts";
import { planIdentity, wantedConfig } from "./plan-identity.ts";

const now = new Date("2026-11-22T12:00:00Z");
const later = new Date(now.getTime() + 3_600_000);
const desired = emptyContent("web1");
const wish = { desired, rootsPem: "roots", now, canMint: true };
const settled: IdentityObserved = {
  componentGood: true,
  config: wantedConfig(desired),
  bootstrap: "roots",
  unit: { active: "active", enabled: true, exists: true },
  svidExpires: later,
  healthy: true,
  refused: false,
};
const fresh: IdentityObserved = {
  componentGood: false,
  config: undefined,
  bootstrap: undefined,
  unit: { active: "inactive", enabled: false, exists: true },
  svidExpires: undefined,
  healthy: false,
  refused: false,
};
const kinds = (observed: IdentityObserved, changes = {}) =>
  planIdentity({ ...wish, ...changes }, observed).steps.map((step) => step.kind);

describe("planIdentity", () => {
  it("does nothing when all is so", () => {
    expect(planIdentity(wish, settled)).toEqual({ steps: [], conditions: [] });
  });

  it("goes from nothing to an attested agent", () => {
    expect(kinds(fresh)).toEqual(["fetchComponent", "writeFile", "writeFile", "attestSpireAgent"]);
  });

  it("starts an agent that has an SVID without a new attestation", () => {
    expect(kinds({ ...settled, healthy: false, unit: { ...settled.unit, active: "inactive" } })).toEqual([
      "enableUnit",
    ]);
  });

  it("attests anew when the SVID is over or refused", () => {
    const down = { ...settled, healthy: false };
    expect(kinds({ ...down, svidExpires: now })).toEqual(["attestSpireAgent"]);
    expect(kinds({ ...down, refused: true })).toEqual(["attestSpireAgent"]);
  });

  it("leaves a healthy agent alone, whatever its file says", () => {
    expect(kinds({ ...settled, svidExpires: undefined })).toEqual([]);
  });

  it("waits, and says so, when it would have to attest and the coordinator is away", () => {
    const plan = planIdentity({ ...wish, canMint: false }, fresh);
    expect(plan.steps.map((step) => step.kind)).not.toContain("attestSpireAgent");
    expect(plan.conditions).toMatchObject([{ code: "SPIRE_AGENT_DOWN" }]);
  });

  it("restarts for a changed configuration only; changed roots are only kept for the next attestation", () => {
    expect(kinds({ ...settled, bootstrap: "older roots" })).toEqual(["writeFile"]);
    const steps = planIdentity(wish, { ...settled, config: "old" }).steps;
    expect(steps.at(-1)).toMatchObject({ kind: "enableUnit", args: { restart: true } });
  });

  it("says that an agent runs and is not ready, and touches nothing", () => {
    const plan = planIdentity(wish, { ...settled, healthy: false });
    expect(plan).toMatchObject({ steps: [], conditions: [{ code: "SPIRE_AGENT_DOWN" }] });
  });
});
