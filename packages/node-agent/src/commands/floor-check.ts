// `weft-node-agent floor check [FILE]`: whether a floor reads, and what it would refuse of the state this node has now.
// With FILE, one that is not in place yet: an edited floor takes effect at once.

import { WeftError } from "@weft/shared/errors/weft-error";
import { floorPath, refusalSentence } from "@weft/shared/model/floor";
import { contentOf } from "@weft/shared/plan/desired-content";
import { applyFloor } from "../floor/apply-floor.ts";
import type { Floor } from "../floor/floor.ts";
import { FloorFile } from "../floor/floor-file.ts";
import type { Files } from "../host/host.ts";
import { readDesired } from "../link/desired-store.ts";
import type { CommandContext } from "./context.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";

export async function runFloorCheck(
  { host, terminal }: CommandContext,
  file: string | undefined,
): Promise<ExitCode> {
  const { floor, problems } = await (file === undefined ? inPlace(host.files) : elsewhere(host.files, file));
  if (floor === undefined) {
    for (const problem of problems) terminal.err(problem);
    return exitCodes.usage;
  }
  terminal.out(`${file ?? floorPath}: good`);
  const desired = await readDesired(host.files);
  if (desired === undefined) return exitCodes.done;
  const { refusals, leftOut } = applyFloor(contentOf(desired), floor);
  if (refusals.length === 0) terminal.out(`it refuses nothing of revision ${desired.revision}`);
  for (const refusal of refusals) terminal.out(`revision ${desired.revision}: ${refusalSentence(refusal)}`);
  if (leftOut > 0) terminal.out(`and ${leftOut} more`);
  return exitCodes.done;
}

interface Checked {
  readonly floor: Floor | undefined;
  readonly problems: readonly string[];
}

async function inPlace(files: Files): Promise<Checked> {
  const look = await new FloorFile(files).look();
  if (look.state === "none")
    throw new WeftError("WEFT-E002", `there is no ${floorPath}`, {
      why: "The coordinator alone says what this node opens.",
      hint: "docs/floor.md has an example",
    });
  return look.state === "broken"
    ? { floor: undefined, problems: look.problems }
    : { floor: look.floor, problems: [] };
}

async function elsewhere(files: Files, file: string): Promise<Checked> {
  const text = await files.readText(file);
  if (text === undefined) throw new WeftError("WEFT-E002", `there is no ${file}`);
  const { parseFloor } = await import("../floor/parse-floor.ts");
  return parseFloor(file, text);
}
