// In: what a program or a service complained. Out: enough of it to know, short enough for a report. Pure.

/** The first lines, as one. */
export function briefly(text: string): string {
  return text.trim().split("\n").slice(0, 6).join("; ").slice(0, 600);
}
