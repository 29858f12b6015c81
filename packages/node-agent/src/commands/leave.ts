// `weft-node-agent leave [--yes]`: undoes everything Weft did on this machine, and says each thing as it is done. Every
// part is tried, whatever happened to the one before; what could not be undone is named at the end. The records and
// programs that undoing needs go last, and stay while something is left to undo.
import { createInterface } from "node:readline/promises";
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { floorPath } from "@weft/shared/model/floor";
import { ciliumSvidFolder, etcdPlaces } from "@weft/shared/render/etcd-places";
import { renderRemoval } from "@weft/shared/render/nftables";
import { renderWitnessRemoval } from "@weft/shared/render/nftables-witness";
import { takeDownCilium } from "../cilium/take-down.ts";
import { GiveResolver } from "../dns/take-resolver.ts";
import { takeDownEtcd } from "../etcd/take-down.ts";
import type { Host } from "../host/host.ts";
import { sayFarewell } from "../link/exchange.ts";
import { NodeIdentity } from "../link/node-identity.ts";
import { loadScript, readKernelTable } from "../policy/kernel-table.ts";
import { places, unitNames } from "../state/places.ts";
import type { CommandContext } from "./context.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import { narration } from "./narration.ts";

const farewellMs = 5_000;
const farewellWhat = "telling the coordinator";

/** Folders that hold nothing but what the agent made. On the hub /etc/weft and /var/lib/weft are shared with others. */
const ownFolders: readonly string[] = [
  places.agent,
  places.policy,
  places.spireData,
  "/etc/weft/spire",
  "/etc/weft/dns",
  "/var/lib/weft/dns",
  etcdPlaces.backups,
  ciliumSvidFolder,
  "/run/spire/agent",
  "/run/weft-agent",
  places.restoreFolder,
];
const nodeUnits = [unitNames.agent, unitNames.restore, unitNames.dns, unitNames.spireAgent] as const;

interface Undoing {
  /** Takes away what the others need: only once they have succeeded. */
  readonly isLast?: boolean;
  /** What was done, or undefined when there was nothing to do. */
  readonly undo: () => Promise<string | undefined>;
  readonly what: string;
}

async function stopUnit(host: Host, unit: string): Promise<string | undefined> {
  const { exists, active, enabled } = await host.units.state(unit);
  if (!exists || (!enabled && active === "inactive")) return undefined;
  if (enabled) await host.units.disable(unit);
  if (active !== "inactive") await host.units.stop(unit);
  return `${unit} is stopped and does not start at boot`;
}

async function giveResolver(host: Host): Promise<string | undefined> {
  const executor = new GiveResolver(host);
  await executor.apply();
  await executor.verify();
  return "the host's resolver is as it was before";
}

async function removeTable(host: Host): Promise<string | undefined> {
  const table = await readKernelTable(host.exec);
  await loadScript(host.exec, (table === undefined ? "" : renderRemoval()) + renderWitnessRemoval());
  if (table === undefined) return undefined;
  return "the kernel holds no rule of Weft any more";
}

async function farewell(host: Host): Promise<string | undefined> {
  const bootId = ((await host.files.readText(places.bootId)) ?? "").trim();
  const identity = await NodeIdentity.load(host, bootId);
  if (identity === undefined || !identity.usable || identity.enrolment.dismissed !== "") return undefined;
  const client = identity.client();
  try {
    await sayFarewell(client, AbortSignal.timeout(farewellMs));
    return "the coordinator knows that this node has left";
  } finally {
    client.close();
  }
}

async function removeFolders(host: Host, isHub: boolean): Promise<string | undefined> {
  for (const folder of ownFolders) await host.files.removeTree(folder);
  if (!isHub) {
    await removeConfiguration(host);
    await host.files.removeTree(places.stateRoot);
  }
  return "its files are gone, keys included";
}

/** But for the machine's floor: that is root's own, and was never ours. */
async function removeConfiguration({ files }: Host): Promise<void> {
  if ((await files.info(floorPath)) === undefined) return files.removeTree(places.configuration);
  for (const name of await files.list(places.configuration)) {
    const path = `${places.configuration}/${name}`;
    if (path !== floorPath) await files.removeTree(path);
  }
}

async function uninstall(host: Host, isHub: boolean): Promise<string | undefined> {
  if (isHub || (await host.files.info(places.installer)) === undefined) return undefined;
  await host.exec.run("/bin/sh", [places.installer, "uninstall"], { timeoutMs: 120_000 });
  await host.files.removeTree("/run/spire");
  return "programs and units are removed";
}

async function confirmed({ terminal }: CommandContext, node: string): Promise<boolean> {
  const dialogue = createInterface({ input: terminal.input, output: terminal.questions });
  try {
    const answer = await dialogue.question(
      `Take ${node} out of its mesh and undo everything Weft did here? [y/N] `,
    );
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    dialogue.close();
  }
}

export async function runLeave(
  context: CommandContext,
  options: { readonly yes: boolean },
): Promise<ExitCode> {
  const { host, terminal } = context;
  if (!context.isRoot) throw new WeftError("WEFT-E006", "leaving needs root", { hint: "run it with sudo" });
  const isHub = (await host.units.state(unitNames.coordinator)).exists;
  if (isHub && !options.yes)
    throw new WeftError("WEFT-E101", "this machine carries the coordinator", {
      why: "Its own rules and identity are what lets the other nodes reach it.",
      hint: "if that is meant: weft-node-agent leave --yes",
    });
  if (!options.yes) {
    if (!terminal.interactive)
      throw new WeftError("WEFT-E001", "leaving asks first, and nobody is there to answer", {
        hint: "say --yes",
      });
    if (!(await confirmed(context, "this machine"))) return exitCodes.refused;
  }
  const narrate = narration(host.clock, terminal.out);
  const undoings: readonly Undoing[] = [
    { what: "stopping the agent", undo: () => stopUnit(host, unitNames.agent) },
    { what: "taking Cilium down", undo: () => takeDownCilium(host) },
    { what: "taking etcd down", undo: () => takeDownEtcd(host, true) },
    { what: "giving the resolver back", undo: () => giveResolver(host) },
    ...nodeUnits.slice(1).map((unit) => ({ what: `stopping ${unit}`, undo: () => stopUnit(host, unit) })),
    { what: "removing the rules", undo: () => removeTable(host) },
    { what: farewellWhat, undo: () => farewell(host) },
    { what: "removing files", isLast: true, undo: () => removeFolders(host, isHub) },
    { what: "removing programs", isLast: true, undo: () => uninstall(host, isHub) },
  ];
  const failed: string[] = [];
  for (const { what, undo, isLast } of undoings) {
    if (isLast === true && failed.length > 0) continue;
    try {
      const said = await undo();
      if (said !== undefined) narrate(said);
    } catch (failure) {
      // Only told: a coordinator that is away learns it when the operator removes the node.
      if (what !== farewellWhat) failed.push(what);
      narrate(`${what} did not work: ${messageOf(failure)}`);
    }
  }
  if (failed.length === 0) {
    terminal.out("this machine is as it was before it joined");
    return exitCodes.done;
  }
  throw new WeftError("WEFT-E004", `not everything could be undone: ${failed.join(", ")}`, {
    hint: "run `weft-node-agent leave` again",
  });
}
