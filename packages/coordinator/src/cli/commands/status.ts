// `weft status`: how the mesh is now, or with --watch as it changes: painted over on a terminal, a line per change in
// a pipe. A watch outlives the coordinator: it says that it is away, and goes on when it is back.
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import type { FleetStatus } from "@weft/shared/model/fleet";
import type { Command } from "commander";
import { changeLines } from "../../view/change-lines.ts";
import { fleetJson, nodeJson, renderJson, renderJsonLine } from "../../view/render-json.ts";
import { renderNodeDetails } from "../../view/render-node.ts";
import { renderStatus } from "../../view/render-status.ts";
import { type StatusModel, statusModel } from "../../view/status-model.ts";
import type { CliContext } from "../context.ts";
import type { Control } from "../control.ts";
import { pause } from "../pause.ts";
import { withControl } from "../with-control.ts";

interface Options {
  readonly watch?: true;
  readonly json?: true;
}

const retryMs = 1000;
const repaintMs = 1000;

function onlyNode(fleet: FleetStatus, name: string | undefined): FleetStatus {
  if (name === undefined) return fleet;
  const nodes = fleet.nodes.filter((node) => node.name === name);
  if (nodes.length > 0) return { ...fleet, nodes, conditions: [], rollout: undefined };
  throw new WeftError("WEFT-E103", `the mesh has no node "${name}"`, {
    why: `Its nodes are: ${fleet.nodes.map((node) => node.name).join(", ") || "none"}.`,
  });
}

export async function snapshot(control: Control, signal: AbortSignal): Promise<FleetStatus> {
  for await (const fleet of control.watchStatus(false, signal)) return fleet;
  throw new WeftError("WEFT-E500", "the coordinator gave no status");
}

function showOnce(context: CliContext, fleet: FleetStatus, name: string | undefined, json: boolean): void {
  const { terminal } = context;
  const chosen = onlyNode(fleet, name);
  const [node] = chosen.nodes;
  if (json)
    terminal.out(renderJson(name === undefined || node === undefined ? fleetJson(chosen) : nodeJson(node)));
  else if (name !== undefined && node !== undefined)
    for (const line of renderNodeDetails(node, fleet.at, terminal.paint)) terminal.out(line);
  else
    for (const line of renderStatus(statusModel(chosen), terminal.width(), terminal.paint))
      terminal.out(line);
}

/** Every snapshot as it comes; after a loss, the loss, until the next one comes. */
async function* snapshots(
  control: Control,
  signal: AbortSignal,
): AsyncGenerator<FleetStatus | { readonly lost: string }> {
  while (!signal.aborted) {
    try {
      for await (const fleet of control.watchStatus(true, signal)) yield fleet;
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      yield { lost: `${failure.message}${failure.why === undefined ? "" : ` (${failure.why})`}` };
    }
    await pause(retryMs, signal);
  }
}

async function watchLines(
  context: CliContext,
  control: Control,
  name: string | undefined,
  json: boolean,
): Promise<void> {
  const { terminal } = context;
  let before: StatusModel | undefined;
  let lost: string | undefined;
  for await (const news of snapshots(control, context.signal)) {
    if ("lost" in news) {
      if (lost === undefined && !json)
        terminal.out(`${context.now().toISOString().slice(11, 19)} ${news.lost}; trying again`);
      lost = news.lost;
      continue;
    }
    lost = undefined;
    const chosen = onlyNode(news, name);
    if (json) terminal.out(renderJsonLine(fleetJson(chosen)));
    else {
      const model = statusModel(chosen);
      for (const line of changeLines(before, model, news.at)) terminal.out(line);
      before = model;
    }
  }
}

async function watchLive(context: CliContext, control: Control, name: string | undefined): Promise<void> {
  const { terminal } = context;
  let last: { readonly fleet: FleetStatus; readonly seen: number } | undefined;
  let lost: string | undefined;
  const paintNow = () => {
    const lines: string[] = [];
    if (last !== undefined) {
      // The coordinator's clock, moved on by the time since.
      const at = new Date(last.fleet.at.getTime() + context.now().getTime() - last.seen);
      lines.push(...renderStatus(statusModel({ ...last.fleet, at }), terminal.width(), terminal.paint));
    }
    if (lost !== undefined)
      lines.push("", terminal.paint("bad", `${lost}; trying again, this is how it was`));
    terminal.repaint(lines);
  };
  const timer = setInterval(paintNow, repaintMs);
  try {
    for await (const news of snapshots(control, context.signal)) {
      if ("lost" in news) lost = news.lost;
      else {
        lost = undefined;
        last = { fleet: onlyNode(news, name), seen: context.now().getTime() };
      }
      paintNow();
    }
  } finally {
    clearInterval(timer);
    terminal.endRepaint();
  }
}

export function addStatusCommand(program: Command, context: CliContext): void {
  program
    .command("status")
    .description("show how the mesh is: each node's state, revision in its kernel, identity, names")
    .argument("[node]", "only this node, in detail")
    .option("--watch", "go on showing it as it changes")
    .option("--json", "print it as JSON (docs/status-json.md); with --watch one document per line")
    .action((name: string | undefined, options: Options, command: Command) =>
      withControl(context, command, async (control) => {
        const json = options.json === true;
        if (options.watch !== true) showOnce(context, await snapshot(control, context.signal), name, json);
        else if (context.terminal.live && !json) await watchLive(context, control, name);
        else await watchLines(context, control, name, json);
      }),
    );
}
