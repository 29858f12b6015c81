// `weft flows`, `weft denials` and `weft graph`: what the kernels have counted, by identity.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Command } from "commander";
import { graphEdges } from "../../view/graph-model.ts";
import { printable } from "../../view/paint.ts";
import { denialLine, flowJson, flowKey, flowsJson, flowsOf, renderFlows } from "../../view/render-flows.ts";
import { type GraphFormat, graphFormats, renderGraph } from "../../view/render-graph.ts";
import { renderJson, renderJsonLine } from "../../view/render-json.ts";
import type { CliContext } from "../context.ts";
import type { Control } from "../control.ts";
import { pause } from "../pause.ts";
import { withControl } from "../with-control.ts";

interface Options {
  readonly node?: string;
  readonly watch?: true;
  readonly json?: true;
}

const lookMs = 1_000;

/** A line for each refusal that is new or has grown. */
async function watchDenials(context: CliContext, control: Control, options: Options): Promise<void> {
  const { terminal, signal } = context;
  const counts = new Map<string, number>();
  let said = "";
  while (!signal.aborted) {
    const observed = await control.observations(options.node ?? "");
    for (const flow of [...flowsOf(observed, true)].reverse()) {
      const key = flowKey(flow);
      if (counts.get(key) === flow.count) continue;
      counts.set(key, flow.count);
      terminal.out(options.json === true ? renderJsonLine(flowJson(flow)) : denialLine(flow));
    }
    const unknown = observed.unknown.join("\n");
    if (unknown !== said && options.json !== true)
      for (const line of observed.unknown) terminal.err(printable(line));
    said = unknown;
    await pause(lookMs, signal);
  }
}

async function show(
  context: CliContext,
  options: Options,
  command: Command,
  denials: boolean,
): Promise<void> {
  const { terminal } = context;
  await withControl(context, command, async (control) => {
    if (denials && options.watch === true) return watchDenials(context, control, options);
    const observed = await control.observations(options.node ?? "");
    if (options.json === true) terminal.out(renderJson(flowsJson(observed, denials)));
    else
      for (const line of renderFlows(observed, denials, terminal.width(), terminal.paint)) terminal.out(line);
    return undefined;
  });
}

function parseFormat(text: string): GraphFormat {
  const format = graphFormats.find((each) => each === text);
  if (format !== undefined) return format;
  throw new WeftError("WEFT-E001", `--format does not know "${text}"`, {
    hint: `allowed: ${graphFormats.join(", ")}`,
  });
}

export function addFlowCommands(program: Command, context: CliContext): void {
  const { terminal } = context;
  program
    .command("flows")
    .description("list the connections that kernels have let pass, by identity")
    .option("--node <name>", "only what concerns this node")
    .option("--json", "print them as JSON (docs/why.md)")
    .action((options: Options, command: Command) => show(context, options, command, false));
  program
    .command("denials")
    .description("list what kernels have refused: who, what, how often, by which policy, what would allow it")
    .option("--node <name>", "only what concerns this node")
    .option("--watch", "go on, a line for each as it happens")
    .option("--json", "print them as JSON (docs/why.md); with --watch one a line")
    .action((options: Options, command: Command) => show(context, options, command, true));
  program
    .command("graph")
    .description("draw the observed flows over the declared policy")
    .option("--format <format>", graphFormats.join(", "), parseFormat, "terminal")
    .option("--json", "print its edges as JSON")
    .action(async (options: { readonly format: GraphFormat; readonly json?: true }, command: Command) => {
      const observed = await withControl(context, command, (control) => control.observations(""));
      const edges = graphEdges(observed);
      if (options.json === true) terminal.out(renderJson({ edges, unknown: observed.unknown }));
      else {
        for (const line of renderGraph(edges, options.format, terminal.paint)) terminal.out(line);
        for (const line of observed.unknown) terminal.err(printable(line));
      }
    });
}
