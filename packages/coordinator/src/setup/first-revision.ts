// In: a running coordinator. Out: it has a mesh file. The starter is written only where there is none, and applied only
// if nothing was applied before.
import { WeftError } from "@weft/shared/errors/weft-error";
import { applySources } from "../cli/apply-story.ts";
import type { CliContext } from "../cli/context.ts";
import type { Control } from "../cli/control.ts";
import { exitCodes } from "../cli/exit-code.ts";
import type { Terminal } from "../cli/terminal.ts";
import type { InitWish } from "./init-wish.ts";
import type { Machine } from "./machine.ts";
import { places } from "./places.ts";
import { renderStarterMesh } from "./starter-mesh.ts";

export async function applyFirstRevision(
  machine: Machine,
  wish: InitWish,
  control: Control,
  context: Pick<CliContext, "terminal" | "signal" | "claimedBy">,
): Promise<string> {
  const { revisions } = await control.history();
  const [newest] = revisions;
  if (newest !== undefined) return `revision ${newest.revision} was applied before`;
  const present = await machine.readText(places.meshFile);
  const text = present ?? renderStarterMesh(wish);
  if (present === undefined) await machine.writeFile(places.meshFile, text, 0o644);
  const problems: string[] = [];
  const listening: Terminal = {
    ...context.terminal,
    out: () => undefined,
    err: (line) => void problems.push(line),
  };
  const order = {
    sources: [{ name: places.meshFile, text }],
    reason: "weft init",
    claimedBy: context.claimedBy,
    wait: false,
    probe: false,
    timeoutSeconds: 0,
    confirmTimeoutSeconds: 0,
    keepEstablished: false,
    atOnce: true,
    restores: 0,
    acceptRisks: [],
    operator: undefined,
  };
  const { exitCode, revision } = await applySources(control, order, listening, context.signal);
  if (exitCode !== exitCodes.done)
    throw new WeftError("WEFT-E100", `${places.meshFile} cannot be applied`, {
      why: problems.join("\n"),
      hint: "correct it, then run `weft init` again",
    });
  return `${places.meshFile}${present === undefined ? " written and" : ""} applied as revision ${revision}`;
}
