// `weft history`: the revisions of the mesh file, newest first. Who applied one is a claim and shown as such.
import type { RevisionEntry } from "@weft/shared/gen/weft/v1/control";
import type { Command } from "commander";
import { instantText } from "../../view/duration-text.ts";
import { printable } from "../../view/paint.ts";
import { renderJson } from "../../view/render-json.ts";
import { renderTable, type TableColumn } from "../../view/render-table.ts";
import type { CliContext } from "../context.ts";
import { withControl } from "../with-control.ts";

const columns: readonly TableColumn<RevisionEntry>[] = [
  { title: "REVISION", cell: (entry) => ({ text: `${entry.revision}` }), expendable: 0 },
  { title: "AT (UTC)", cell: (entry) => ({ text: instantText(entry.at) }), expendable: 0 },
  { title: "BY (CLAIMED)", cell: (entry) => ({ text: printable(entry.claimedBy) }), expendable: 1 },
  { title: "SOURCES", cell: (entry) => ({ text: entry.digest.slice(0, 12) }), expendable: 2 },
  { title: "REASON", cell: (entry) => ({ text: printable(entry.reason) }), expendable: 0, cut: true },
];

export function addHistoryCommand(program: Command, context: CliContext): void {
  const { terminal } = context;
  program
    .command("history")
    .description("list the revisions of the mesh file, newest first")
    .option("--json", "print them as JSON")
    .action(async (options: { json?: true }, command: Command) => {
      const { revisions } = await withControl(context, command, (control) => control.history());
      if (options.json) terminal.out(renderJson({ revisions }));
      else if (revisions.length === 0)
        terminal.out("no mesh file was applied yet; next: weft apply mesh.yaml --wait");
      else
        for (const line of renderTable(columns, revisions, terminal.width(), terminal.paint))
          terminal.out(line);
    });
}
