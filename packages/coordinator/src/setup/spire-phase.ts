// In: the wish. Out: the SPIRE server runs with a configuration that it has itself found valid, and answers.
import { WeftError } from "@weft/shared/errors/weft-error";
import { renderSpireServerConf, usualSpireServerSettings } from "@weft/shared/render/spire-server-conf";
import type { CliContext } from "../cli/context.ts";
import type { InitWish } from "./init-wish.ts";
import type { Machine } from "./machine.ts";
import { places, units } from "./places.ts";
import { startUnit } from "./systemd.ts";
import { waitUntil } from "./wait-until.ts";

const deadlineMs = 30_000;

/** Returns whether it changed. The old configuration stays in force until the new one is known to be valid. */
async function putConfig(machine: Machine, wish: InitWish): Promise<boolean> {
  const text = renderSpireServerConf(usualSpireServerSettings(wish.mesh, wish.trustDomain));
  if ((await machine.readText(places.spireConfig)) === text) return false;
  await machine.makeDirectory(places.configuration, 0o755);
  await machine.makeDirectory(places.spireFolder, 0o755);
  const candidate = `${places.spireConfig}.candidate`;
  await machine.writeFile(candidate, text, 0o644);
  const checked = await machine.run(`${places.components}/spire-server`, ["validate", "-config", candidate]);
  await machine.remove(candidate);
  if (checked.code !== 0)
    throw new WeftError("WEFT-E501", "the SPIRE server refuses its configuration", {
      why: (checked.stderr || checked.stdout).trim(),
      hint: "the installed spire-server is another version than this release's; run install.sh again",
    });
  await machine.writeFile(places.spireConfig, text, 0o644);
  return true;
}

export async function bringUpSpire(
  machine: Machine,
  wish: InitWish,
  context: Pick<CliContext, "connectSpire" | "signal">,
): Promise<string> {
  const changed = await putConfig(machine, wish);
  await startUnit(machine, units.spireServer, changed);
  const spire = context.connectSpire(places.spireSocket);
  try {
    const bundle = await waitUntil(() => spire.bundle(), {
      what: "the SPIRE server",
      deadlineMs,
      signal: context.signal,
    });
    if (bundle.trustDomain !== wish.trustDomain)
      throw new WeftError("WEFT-E501", `the SPIRE server's trust domain is ${bundle.trustDomain}`, {
        why: "Its data is from another mesh.",
        hint: "move /var/lib/spire-server away, if it is not needed",
      });
  } finally {
    spire.close();
  }
  return `${changed ? "configured, validated" : "configured before"}, runs and answers`;
}
