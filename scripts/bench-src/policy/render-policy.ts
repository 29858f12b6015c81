// In: the rounds of every way, Weft first and the bare loop second. Out: tables in plain text. It judges nothing.
import { type Disagreement, percentile, type Round, summarise } from "./measurement.ts";

const budgets: Readonly<Record<string, string>> = {
  "etcd watch + nft -f loop": "p99 <= 1.0 x",
  "Ansible ad hoc (raw)": "p99 <= 0.1 x",
};

function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const ms = (value: number): string => `${Math.round(value)} ms`;

/** From the start of the command to the other verdict, over all machines and rounds. */
export function renderWays(ways: ReadonlyMap<string, readonly Round[]>): string {
  const [first] = ways.values();
  const weft = summarise(first ?? []);
  const rows = [...ways].map(([name, rounds]) => {
    const way = summarise(rounds);
    const ratio = (of: (summary: typeof way) => number) => (of(weft) / of(way)).toFixed(2);
    return [
      name,
      ...[way.p50, way.p99, way.last, way.returned].map(ms),
      `${ratio(({ p50 }) => p50)} / ${ratio(({ p99 }) => p99)}`,
      budgets[name] ?? "",
    ];
  });
  const head = ["way", "p50", "p99", "last machine", "command back", "Weft is x of it (p50 / p99)", "budget"];
  return columns([head, ...rows]);
}

export function renderAgreement(found: readonly Disagreement[]): string {
  const heard = found.map(({ ms: value }) => value).filter((value) => !Number.isNaN(value));
  const silent = found.length - heard.length;
  const told = heard.map(Math.abs);
  const worst = Math.max(...told);
  const within = told.filter((value) => value <= 50).length;
  return `enforced-at as Weft tells it against the prober outside: ${within} of ${found.length} within 50 ms, p50 ${ms(percentile(told, 0.5))}, p99 ${ms(percentile(told, 0.99))}, worst ${ms(worst)}, told minus seen in the middle ${ms(percentile(heard, 0.5))}${silent === 0 ? "" : `, ${silent} said nothing`}`;
}
