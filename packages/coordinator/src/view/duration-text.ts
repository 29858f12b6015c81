// In: a length of time. Out: how a person says it, short. Pure.

const units: readonly (readonly [string, number])[] = [
  ["d", 24 * 3600_000],
  ["h", 3600_000],
  ["min", 60_000],
  ["s", 1000],
];

/** The largest unit of which there are at least two, so that little is lost: "119 min", "2 h", "36 h", "3 d". */
export function durationText(milliseconds: number): string {
  const length = Math.max(0, milliseconds);
  for (const [name, size] of units) if (length >= 2 * size) return `${Math.floor(length / size)} ${name}`;
  return length >= 1000 ? "1 s" : `${Math.round(length)} ms`;
}

export function untilText(at: Date | undefined, now: Date): string {
  if (at === undefined) return "-";
  return at <= now ? "expired" : durationText(at.getTime() - now.getTime());
}

/** "2026-03-01 12:00:05", in UTC. */
export function instantText(at: Date | undefined): string {
  return at === undefined ? "-" : `${at.toISOString().slice(0, 19).replace("T", " ")}`;
}
