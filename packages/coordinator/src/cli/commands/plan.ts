// `weft plan`: what applying a mesh file would change on which node, in words and as rendered diff. Changes nothing.
import type { NodePlan } from "@weft/shared/gen/weft/v1/control";
import type { Command } from "commander";
import { type Paint, printable, type Tone } from "../../view/paint.ts";
import { renderJson } from "../../view/render-json.ts";
import { renderProblems } from "../../view/render-problems.ts";
import { renderReplay, replayJson } from "../../view/render-replay.ts";
import { acceptFlags, renderRisks, riskJson } from "../../view/render-risks.ts";
import type { CliContext } from "../context.ts";
import type { Plan } from "../control.ts";
import { countText } from "../count-text.ts";
import { exitCodes } from "../exit-code.ts";
import { withControl } from "../with-control.ts";

interface Options {
  readonly diff: boolean;
  readonly json?: true;
}

function toneOfDiffLine(line: string): Tone {
  if (line.startsWith("+")) return "good";
  if (line.startsWith("-")) return "bad";
  return line.startsWith("@@") ? "quiet" : "plain";
}

/** The title says it already. */
function withoutName(word: string, node: string): string {
  return word.startsWith(`${node}: `) ? word.slice(node.length + 2) : word;
}

function renderNode(plan: NodePlan, paint: Paint, diff: boolean): string[] {
  const title = `${plan.node}:${plan.enrolled ? "" : " (not joined yet)"}`;
  const lines = [title, ...plan.words.map((word) => `  ${printable(withoutName(word, plan.node))}`)];
  if (diff && plan.diff !== "")
    for (const line of plan.diff.trimEnd().split("\n"))
      lines.push(`    ${paint(toneOfDiffLine(line), printable(line))}`);
  return lines;
}

function replayLines({ replay }: Plan, { now, terminal }: CliContext): string[] {
  if (replay === undefined) return [terminal.paint("doubtful", "flows were not replayed: all are UNKNOWN")];
  return renderReplay(replay, now(), terminal.paint);
}

export function addPlanCommand(program: Command, context: CliContext): void {
  const { terminal } = context;
  program
    .command("plan")
    .description("show what applying a mesh file would change; changes nothing")
    .argument("<file...>", "the mesh file, or a directory with its parts")
    .option("--no-diff", "words only")
    .option("--json", "print the plan as JSON")
    .action(async (files: string[], options: Options, command: Command) => {
      const sources = await context.readSources(files);
      const plan = await withControl(context, command, (control) => control.plan(sources, context.operator));
      const failed = plan.problems.some(({ severity }) => severity === "error");
      if (failed) context.setExitCode(exitCodes.usage);
      if (options.json) {
        terminal.out(
          renderJson({
            ...plan,
            replay: plan.replay === undefined ? null : replayJson(plan.replay),
            risks: plan.risks.map(riskJson),
          }),
        );
        return;
      }
      for (const line of renderProblems(plan.problems, terminal.paint)) terminal.err(line);
      if (failed) {
        terminal.err("nothing was changed (WEFT-E100)");
        return;
      }
      if (plan.nodes.length === 0) {
        terminal.out(`nothing would change (revision ${plan.baseRevision} says the same)`);
        return;
      }
      for (const node of plan.nodes)
        for (const line of renderNode(node, terminal.paint, options.diff)) terminal.out(line);
      for (const line of replayLines(plan, context)) terminal.out(line);
      terminal.out(
        `${countText(plan.nodes.length, "node")} would change, counted from ` +
          (plan.baseRevision === 0 ? "an empty mesh" : `revision ${plan.baseRevision}`),
      );
      for (const line of renderRisks(plan.risks, terminal.paint)) terminal.out(line);
      if (plan.risks.length > 0)
        terminal.out("`weft apply` would refuse this (exit 3) unless each of these risks is accepted");
      const flags = plan.risks.length === 0 ? "" : ` ${acceptFlags(plan.risks)}`;
      terminal.out(`next: weft apply ${files.join(" ")} --wait${flags}`);
    });
}
