// In: what was measured, each with its budget if it has one. Out: a table in plain text. It judges nothing.
export interface Row {
  readonly what: string;
  readonly measured: string;
  readonly budget?: string;
}

export function renderReport(rows: readonly Row[]): string {
  const cells = [
    ["what", "measured", "budget"],
    ...rows.map(({ what, measured, budget }) => [what, measured, budget ?? ""]),
  ];
  const width = (column: number) => Math.max(...cells.map((row) => row[column]?.length ?? 0));
  const [first, second] = [width(0), width(1)];
  return cells
    .map(([what = "", measured = "", budget = ""]) =>
      `${what.padEnd(first)}  ${measured.padStart(second)}  ${budget}`.trimEnd(),
    )
    .join("\n");
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
