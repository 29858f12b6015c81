// `weft history`: the revisions of the mesh file, newest first, and what became of each; or one of them, with what it
// changed in the files. Who applied one is a claim and shown as such.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { RevisionEntry } from "@weft/shared/gen/weft/v1/rollout";
import { byText } from "@weft/shared/plan/text-order";
import { unifiedDiff } from "@weft/shared/render/text-diff";
import type { Command } from "commander";
import type { SourceText } from "../../store/records.ts";
import { instantText } from "../../view/duration-text.ts";
import { printable } from "../../view/paint.ts";
import { renderJson } from "../../view/render-json.ts";
import { renderTable, type TableColumn } from "../../view/render-table.ts";
import { parseRevision } from "../arguments.ts";
import type { CliContext } from "../context.ts";
import type { Control } from "../control.ts";
import { withControl } from "../with-control.ts";

interface Options {
  readonly diff?: true;
  readonly json?: true;
}

const columns: readonly TableColumn<RevisionEntry>[] = [
  { title: "REVISION", cell: (entry) => ({ text: `${entry.revision}` }), expendable: 0 },
  { title: "AT (UTC)", cell: (entry) => ({ text: instantText(entry.at) }), expendable: 0 },
  { title: "BY (CLAIMED)", cell: (entry) => ({ text: printable(entry.claimedBy) }), expendable: 1 },
  { title: "OUTCOME", cell: (entry) => ({ text: entry.outcome.replace("-", " ") }), expendable: 0 },
  { title: "SOURCES", cell: (entry) => ({ text: entry.digest.slice(0, 12) }), expendable: 2 },
  { title: "REASON", cell: (entry) => ({ text: printable(entry.reason) }), expendable: 0, cut: true },
];

function entryOf(revisions: readonly RevisionEntry[], revision: number): RevisionEntry {
  const entry = revisions.find((each) => Number(each.revision) === revision);
  if (entry !== undefined) return entry;
  throw new WeftError("WEFT-E103", `there is no revision ${revision}`, {
    hint: "`weft history` lists those there are",
  });
}

/** What was in force when it came: the one before that is neither it nor one that was stopped before. */
function beforeOf(revisions: readonly RevisionEntry[], revision: number): number {
  const earlier = revisions.find(
    (each) => Number(each.revision) < revision && each.outcome !== "stopped" && each.outcome !== "superseded",
  );
  return Number(earlier?.revision ?? 0n);
}

function diffOf(before: readonly SourceText[], after: readonly SourceText[]): string {
  const textOf = (sources: readonly SourceText[]) => new Map(sources.map(({ name, text }) => [name, text]));
  const old = textOf(before);
  const now = textOf(after);
  // One file under another name is still that file.
  const [single] = before.length === 1 && after.length === 1 ? before : [];
  if (single !== undefined && after[0] !== undefined)
    return unifiedDiff(single.text, after[0].text, {
      before: `a/${single.name}`,
      after: `b/${after[0].name}`,
    });
  return [...new Set([...old.keys(), ...now.keys()])]
    .sort(byText)
    .map((name) =>
      unifiedDiff(old.get(name) ?? "", now.get(name) ?? "", { before: `a/${name}`, after: `b/${name}` }),
    )
    .join("");
}

async function showOne(
  control: Control,
  revision: number,
  options: Options,
  { terminal }: CliContext,
): Promise<void> {
  const { revisions } = await control.history();
  const entry = entryOf(revisions, revision);
  const sources = await control.meshFile(revision);
  const base = beforeOf(revisions, revision);
  const before = options.diff && base > 0 ? await control.meshFile(base) : [];
  const diff = options.diff ? diffOf(before, sources) : undefined;
  if (options.json) {
    terminal.out(renderJson({ ...entry, sources, ...(diff === undefined ? {} : { diff, diffFrom: base }) }));
    return;
  }
  const outcome = [entry.outcome.replace("-", " "), entry.outcomeDetail].filter((part) => part !== "");
  terminal.out(`revision  ${entry.revision}`);
  terminal.out(`at        ${instantText(entry.at)} UTC`);
  terminal.out(`by        ${printable(entry.claimedBy)} (claimed)`);
  terminal.out(`reason    ${printable(entry.reason) || "-"}`);
  terminal.out(`outcome   ${printable(outcome.join(": "))}`);
  if (entry.restores > 0n) terminal.out(`files of  revision ${entry.restores}`);
  terminal.out(`files     ${sources.map(({ name }) => printable(name)).join(", ")}`);
  if (diff === undefined) return;
  terminal.out(base === 0 ? "first revision:" : `changed from revision ${base}:`);
  if (diff === "") terminal.out("nothing");
  else for (const line of diff.trimEnd().split("\n")) terminal.out(printable(line));
}

export function addHistoryCommand(program: Command, context: CliContext): void {
  const { terminal } = context;
  program
    .command("history")
    .description("list the revisions of the mesh file, newest first, or show one")
    .argument("[revision]", "only this one, in detail", parseRevision)
    .option("--diff", "with what it changed in the files")
    .option("--json", "print them as JSON")
    .action((revision: number | undefined, options: Options, command: Command) =>
      withControl(context, command, async (control) => {
        if (revision !== undefined) return showOne(control, revision, options, context);
        const { revisions } = await control.history();
        const [newest] = revisions;
        // Without a number: what the newest one changed.
        if (options.diff && newest !== undefined)
          return showOne(control, Number(newest.revision), options, context);
        if (options.json) terminal.out(renderJson({ revisions }));
        else if (newest === undefined)
          terminal.out("no mesh file was applied yet; next: weft apply mesh.yaml --wait");
        else
          for (const line of renderTable(columns, revisions, terminal.width(), terminal.paint))
            terminal.out(line);
      }),
    );
}
