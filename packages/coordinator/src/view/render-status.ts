// In: the status model. Out: the lines of `weft status`: headline, table, and a sentence per condition. Pure.
import type { Paint } from "./paint.ts";
import { renderTable, type TableColumn } from "./render-table.ts";
import type { Remark, StatusModel, StatusRow } from "./status-model.ts";

const columns: readonly TableColumn<StatusRow>[] = [
  { title: "NODE", cell: (row) => ({ text: row.name }), expendable: 0 },
  { title: "STATE", cell: (row) => row.state, expendable: 0 },
  { title: "ADDRESS", cell: (row) => ({ text: row.address }), expendable: 2 },
  { title: "ENFORCEMENT", cell: (row) => ({ text: row.enforcement }), expendable: 4 },
  { title: "REVISION", cell: (row) => row.revision, expendable: 0 },
  { title: "IDENTITY", cell: (row) => row.identity, expendable: 1 },
  { title: "DNS", cell: (row) => row.dns, expendable: 3 },
  { title: "CONDITION", cell: (row) => row.worst, expendable: 0, cut: true },
];

const words: Record<Remark["severity"], string> = { error: "error", warning: "warning", info: "note" };
const tones = { error: "bad", warning: "doubtful", info: "quiet" } as const;

function renderRemark(remark: Remark, paint: Paint): string[] {
  const label = paint(tones[remark.severity], words[remark.severity]);
  return [`${label} ${remark.about}: ${remark.sentence} (${remark.code})`, `  ${remark.hint}`];
}

export function renderStatus(model: StatusModel, width: number | undefined, paint: Paint): string[] {
  return [
    model.headline,
    ...(model.rollout === undefined ? [] : [paint(model.rollout.tone, model.rollout.text)]),
    "",
    ...(model.rows.length === 0 ? ["no nodes"] : renderTable(columns, model.rows, width, paint)),
    ...(model.remarks.length === 0
      ? []
      : ["", ...model.remarks.flatMap((remark) => renderRemark(remark, paint))]),
  ];
}
