// In: two snapshots of the status. Out: a line for every node that changed, for pipes and logs. Pure.
import type { StatusModel, StatusRow } from "./status-model.ts";

function describe(row: StatusRow): string {
  const parts = [
    row.state.text,
    row.revision.text,
    row.dns.text === "-" ? "-" : `dns ${row.dns.text}`,
    row.worst.text,
  ];
  return parts.filter((part) => part !== "" && part !== "-").join(", ");
}

/** What changes by itself with time is left out, or every snapshot would be a change. */
function essence(row: StatusRow): string {
  const sentence = row.worst.text.replace(/^not heard from for [^;]*/, "not heard from");
  return [row.state.text, row.revision.text, row.dns.text, row.identity.text === "expired", sentence].join(
    "\n",
  );
}

/** @param before undefined: everything is new */
export function changeLines(before: StatusModel | undefined, after: StatusModel, at: Date): string[] {
  const time = at.toISOString().slice(11, 19);
  const old = new Map(before?.rows.map((row) => [row.name, row]));
  const lines: string[] = [];
  if (before === undefined) lines.push(`${time} ${after.headline}`);
  const rollout = after.rollout?.text;
  if (rollout !== undefined && rollout !== before?.rollout?.text) lines.push(`${time} ${rollout}`);
  for (const row of after.rows) {
    const earlier = old.get(row.name);
    old.delete(row.name);
    if (earlier === undefined || essence(earlier) !== essence(row))
      lines.push(`${time} ${row.name}: ${describe(row)}`);
  }
  for (const name of old.keys()) lines.push(`${time} ${name}: removed`);
  const told = new Set(before?.remarks.map(({ about, sentence }) => `${about}\n${sentence}`));
  for (const { about, sentence, code } of after.remarks)
    if (about === "coordinator" && !told.has(`${about}\n${sentence}`))
      lines.push(`${time} ${about}: ${sentence} (${code})`);
  return lines;
}
