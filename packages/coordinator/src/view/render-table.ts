// In: rows, the width of the terminal, whether it has colours. Out: lines. Pure.
import type { Paint, Tone } from "./paint.ts";

export interface TableCell {
  readonly text: string;
  readonly tone?: Tone;
}

export interface TableColumn<Row> {
  readonly title: string;
  readonly cell: (row: Row) => TableCell;
  /** Left out first where the width does not suffice, highest number first; 0: never. */
  readonly expendable: number;
  /** Cut at the end of the line instead of widening the table. */
  readonly cut?: true;
}

const gap = "  ";
/** Below this a cut column says nothing, and another column goes first. */
const narrowestCut = 24;

function cutTo(text: string, width: number): string {
  const letters = [...text];
  return letters.length <= width ? text : `${letters.slice(0, Math.max(0, width - 1)).join("")}\u2026`;
}

function widthOf<Row>(column: TableColumn<Row>, rows: readonly Row[]): number {
  const longest = Math.max(column.title.length, ...rows.map((row) => [...column.cell(row).text].length));
  return column.cut === true ? Math.min(longest, narrowestCut) : longest;
}

function columnsThatFit<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  width: number | undefined,
): readonly TableColumn<Row>[] {
  if (width === undefined) return columns;
  const total = columns.reduce((sum, column) => sum + widthOf(column, rows) + gap.length, -gap.length);
  if (total <= width) return columns;
  const [first] = [...columns].sort((a, b) => b.expendable - a.expendable);
  if (first === undefined || first.expendable === 0) return columns;
  return columnsThatFit(
    columns.filter((column) => column !== first),
    rows,
    width,
  );
}

/** @param width undefined: as wide as it gets, nothing cut (a pipe) */
export function renderTable<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  width: number | undefined,
  paint: Paint,
): string[] {
  const shown = columnsThatFit(columns, rows, width);
  const line = (cells: readonly TableCell[]): string => {
    let used = 0;
    const parts = shown.map((column, index) => {
      const cell = cells[index] ?? { text: "" };
      const last = index === shown.length - 1;
      const room = width === undefined ? Number.POSITIVE_INFINITY : width - used;
      const text = column.cut === true ? cutTo(cell.text, room) : cell.text;
      const own = widthOf(column, rows);
      used += own + gap.length;
      const padding = last ? "" : " ".repeat(Math.max(0, own - [...text].length));
      return `${paint(cell.tone ?? "plain", text)}${padding}`;
    });
    return parts.join(gap).trimEnd();
  };
  return [
    line(shown.map(({ title }) => ({ text: title, tone: "quiet" }))),
    ...rows.map((row) => line(shown.map((column) => column.cell(row)))),
  ];
}
