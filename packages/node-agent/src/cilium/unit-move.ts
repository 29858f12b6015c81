// In: a service's unit and the drop-in that puts it into its namespace. Out: the drop-in in force, and the unit restarted where
// it runs, since a process stays in the network it was started in. Units of root are never moved: an operator's way in is one.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Host } from "../host/host.ts";
import { isMoved, markMoved, releaseUnits, removeDropIns, restartIfUsed } from "./moved-units.ts";
import type { StepBook } from "./step-book.ts";

export interface UnitPlace {
  readonly unit: string;
  /** The service's, as the mesh file has it. */
  readonly user: string;
  /** Of the drop-in. */
  readonly path: string;
  readonly text: string;
  /** Path of the namespace it leads to. */
  readonly namespace: string;
}

/** Throws with nothing changed where the unit is not the service's own. */
export async function moveUnit(host: Host, book: StepBook, place: UnitPlace): Promise<void> {
  const { unit, path, text } = place;
  const isThere = (await host.files.readText(path)) === text;
  const shown = await show(host, unit);
  if (isThere && shown["NeedDaemonReload"] !== "yes" && (await isMoved(host, unit, text))) return;
  refuseOthers(place, shown);
  await book.do("moveUnit", unit, async () => {
    if (!isThere) await host.files.write(path, text, { mode: 0o644 });
    await host.units.reload();
    // what is stopped on purpose stays so, and starts inside
    if (["active", "activating", "reloading"].includes(shown["ActiveState"] ?? ""))
      await host.units.restart(unit);
    await markMoved(host, unit, text);
  });
}

/** One that should run and could not, since it had no namespace. */
export async function startInside(host: Host, book: StepBook, unit: string): Promise<void> {
  const { active, enabled } = await host.units.state(unit);
  if (enabled && (active === "inactive" || active === "failed"))
    await book.do("startUnit", unit, () => host.units.start(unit));
}

/** Back on the machine's own network. Also where it does not start there: that is no matter of its network any more. */
export async function returnUnit(host: Host, book: StepBook, unit: string): Promise<void> {
  await book.do("returnUnit", unit, async () => {
    await releaseUnits(host, [unit]);
    try {
      await restartIfUsed(host, unit);
    } finally {
      await removeDropIns(host, [unit]);
    }
  });
}

type Shown = Readonly<Record<string, string>>;

const properties = [
  ...["LoadState", "ActiveState", "User", "NeedDaemonReload"],
  ...["TriggeredBy", "PrivateNetwork", "NetworkNamespacePath"],
];

async function show({ exec }: Host, unit: string): Promise<Shown> {
  const { stdout } = await exec.run("systemctl", [
    "show",
    ...properties.flatMap((name) => ["-p", name]),
    "--",
    unit,
  ]);
  return Object.fromEntries(
    stdout.split("\n").map((line) => {
      const equals = line.indexOf("=");
      return [line.slice(0, equals), line.slice(equals + 1)] as const;
    }),
  );
}

function refuseOthers({ unit, user, namespace }: UnitPlace, shown: Shown): void {
  if (shown["LoadState"] !== "loaded")
    throw new WeftError("WEFT-E402", `there is no unit ${unit} to move into a namespace`, {
      hint: "install the service, or correct `unit:` in the mesh file",
    });
  const runsAs = shown["User"] === undefined || shown["User"] === "" ? "root" : shown["User"];
  if (runsAs === "root" || runsAs !== user)
    throw new WeftError("WEFT-E402", `${unit} runs as ${runsAs}, not as ${user}`, {
      why: "only a service's own unit is moved into its namespace",
      hint: `set User=${user} in the unit, or correct \`user:\` or \`unit:\` in the mesh file`,
    });
  const { TriggeredBy = "", PrivateNetwork, NetworkNamespacePath = "" } = shown;
  if (TriggeredBy.split(" ").some((name) => name.endsWith(".socket")))
    throw notMovable(unit, `${TriggeredBy} listens for it, in the machine's own network`);
  if (PrivateNetwork === "yes" || !["", namespace].includes(NetworkNamespacePath))
    throw notMovable(unit, "it has a network of its own already");
}

function notMovable(unit: string, why: string): WeftError {
  return new WeftError("WEFT-E402", `${unit} cannot be moved into a namespace`, {
    why,
    hint: "change the unit, or leave its node on nftables",
  });
}
