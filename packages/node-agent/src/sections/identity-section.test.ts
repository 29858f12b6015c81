import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { RemoveFile, WriteFile } from "../apply/exec-file.ts";
import { AttestSpireAgent } from "../apply/exec-spire.ts";
import { DisableUnit, EnableUnit } from "../apply/exec-unit.ts";
import type { ExecutorTable } from "../apply/executor.ts";
import type { ComponentStore } from "../components/component-store.ts";
import { makePlaceholder } from "../identity/placeholder.ts";
import { agentDataPath } from "../identity/spire-files.ts";
import { places, unitNames } from "../state/places.ts";
import { IdentitySection } from "./identity-section.ts";

const never = new AbortController().signal;
const desired: DesiredState = { ...sealed(emptyContent("web1")), generation: 1, revision: 1 };
/** The certificate's name does not matter here; the file must only hold one. */
const someSvid = JSON.stringify({ svid: [Buffer.from(makePlaceholder().certificatePem).toString("base64")] });

let host: FakeHost;
let minted: number;
let mintFails: boolean;
let isReachable: boolean;
/** The certificate the SPIRE agent found when it was started. */
let offered: string | undefined;

beforeEach(() => {
  host = new FakeHost();
  minted = 0;
  mintFails = false;
  isReachable = true;
  offered = undefined;
  host.exec.programs.set("/opt/weft/components/spire-agent", () => ({}));
  host.exec.programs.set("journalctl", () => ({}));
  host.units.states.set(unitNames.spireAgent, { active: "inactive", enabled: false, exists: true });
  const start = host.units.start.bind(host.units);
  host.units.start = async (unit) => {
    await start(unit);
    offered = await host.files.readText(places.exchangeCertificate);
    await host.files.write(agentDataPath, someSvid);
  };
});
afterEach(() => host.dispose());

const health = async () => (await host.units.state(unitNames.spireAgent)).active === "active";

function section(): IdentitySection {
  const mint = async () => {
    if (mintFails) throw new WeftError("WEFT-E500", "the coordinator cannot be reached");
    minted += 1;
    return { certificatePem: `exchange ${minted}`, keyPem: "key" };
  };
  const table = {
    writeFile: new WriteFile(host.files),
    removeFile: new RemoveFile(host.files),
    enableUnit: new EnableUnit(host.units),
    disableUnit: new DisableUnit(host.units),
    attestSpireAgent: new AttestSpireAgent({ host, health, mint }),
  } as unknown as ExecutorTable;
  const components = { isGood: async () => true } as unknown as ComponentStore;
  return new IdentitySection(host, table, {
    components,
    health,
    rootsPem: () => "roots",
    canMint: () => isReachable,
  });
}

describe("IdentitySection", () => {
  it("attests with a fresh exchange SVID, and leaves none of it behind", async () => {
    const result = await section().reconcile(desired, never);
    expect(result).toMatchObject({ end: "done", findings: [] });
    expect(offered).toBe("exchange 1");
    expect(await host.files.readText(places.exchangeCertificate)).toContain("BEGIN CERTIFICATE");
    expect(await host.files.readText(places.exchangeKey)).not.toBe("key");
    expect((await host.files.info(places.exchangeKey))?.mode).toBe(0o600);
  });

  it("does nothing more while the agent is healthy", async () => {
    const identity = section();
    await identity.reconcile(desired, never);
    const calls = host.units.calls.length;
    expect(await identity.reconcile(desired, never)).toMatchObject({ end: "nothing", steps: [] });
    expect(host.units.calls).toHaveLength(calls);
  });

  it("tries again after a failure, but not at once; at once when the coordinator is back", async () => {
    const identity = section();
    mintFails = true;
    expect(await identity.reconcile(desired, never)).toMatchObject({
      end: "reverted",
      findings: [{ code: "SPIRE_AGENT_DOWN" }],
    });
    expect(await host.files.info(places.spireConfig)).toBeUndefined();
    mintFails = false;
    expect(await identity.reconcile(desired, never)).toMatchObject({ end: "nothing", findings: [{}] });
    identity.retryNow();
    expect(await identity.reconcile(desired, never)).toMatchObject({ end: "done", findings: [] });
  });

  it("waits for the coordinator without starting an agent that could not attest", async () => {
    isReachable = false;
    const identity = section();
    const result = await identity.reconcile(desired, never);
    expect(result.findings).toMatchObject([{ code: "SPIRE_AGENT_DOWN" }]);
    expect(host.units.calls).toEqual([]);
    isReachable = true;
    expect(await identity.reconcile(desired, never)).toMatchObject({ end: "done", findings: [] });
  });
});
