// In: two texts. Out: what changed between them as a unified diff, empty when nothing did. Pure, and bounded: texts
// too large for the exact comparison are first cut at lines that occur once in both ("patience").

type Sign = " " | "-" | "+";
type Edit = readonly [sign: Sign, line: string];

/** Lines kept around a change. */
const context = 3;
/** Pairs of lines compared exactly. */
const mostPairs = 1_000_000;

export function unifiedDiff(before: string, after: string, names: { before: string; after: string }): string {
  const edits = lineEdits(linesOf(before), linesOf(after));
  const hunks = hunksOf(edits);
  if (hunks.length === 0) return "";
  return `--- ${names.before}\n+++ ${names.after}\n${hunks.join("")}`;
}

function linesOf(text: string): string[] {
  if (text === "") return [];
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
}

const all = (sign: Sign, lines: readonly string[]): Edit[] => lines.map((line) => [sign, line]);

export function lineEdits(before: readonly string[], after: readonly string[]): Edit[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  const room = Math.min(before.length, after.length) - head;
  while (tail < room && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const a = before.slice(head, before.length - tail);
  const b = after.slice(head, after.length - tail);
  return [
    ...all(" ", before.slice(0, head)),
    ...middleEdits(a, b),
    ...all(" ", before.slice(before.length - tail)),
  ];
}

function middleEdits(a: readonly string[], b: readonly string[]): Edit[] {
  if (a.length === 0 || b.length === 0) return [...all("-", a), ...all("+", b)];
  if (a.length * b.length <= mostPairs) return exactEdits(a, b);
  const edits: Edit[] = [];
  let fromA = 0;
  let fromB = 0;
  const anchors = anchorsOf(a, b);
  if (anchors.length === 0) return [...all("-", a), ...all("+", b)];
  for (const [atA, atB] of anchors) {
    edits.push(...lineEdits(a.slice(fromA, atA), b.slice(fromB, atB)), [" ", a[atA] ?? ""]);
    fromA = atA + 1;
    fromB = atB + 1;
  }
  return [...edits, ...lineEdits(a.slice(fromA), b.slice(fromB))];
}

/** By the longest common subsequence. */
function exactEdits(a: readonly string[], b: readonly string[]): Edit[] {
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  const at = (row: number, column: number) => common[row * width + column] ?? 0;
  for (let row = a.length - 1; row >= 0; row--)
    for (let column = b.length - 1; column >= 0; column--)
      common[row * width + column] =
        a[row] === b[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
  const edits: Edit[] = [];
  let row = 0;
  let column = 0;
  while (row < a.length || column < b.length) {
    const lineA = a[row];
    const lineB = b[column];
    if (lineA !== undefined && lineA === lineB) {
      edits.push([" ", lineA]);
      row++;
      column++;
    } else if (lineA !== undefined && (lineB === undefined || at(row + 1, column) >= at(row, column + 1))) {
      edits.push(["-", lineA]);
      row++;
    } else {
      edits.push(["+", lineB ?? ""]);
      column++;
    }
  }
  return edits;
}

/** Lines that occur once in both, in the longest order they share. */
function anchorsOf(a: readonly string[], b: readonly string[]): (readonly [number, number])[] {
  const inB = onceIn(b);
  const pairs = [...onceIn(a)]
    .flatMap(([line, atA]): (readonly [number, number])[] => {
      const atB = inB.get(line);
      return atB === undefined ? [] : [[atA, atB]];
    })
    .sort(([x], [y]) => x - y);
  // longest increasing subsequence of the second numbers: `ends` holds the best pair to end each length with
  const ends: number[] = [];
  const previous: number[] = [];
  for (const [index, [, atB]] of pairs.entries()) {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const half = (low + high) >> 1;
      if ((pairs[ends[half] ?? 0]?.[1] ?? 0) < atB) low = half + 1;
      else high = half;
    }
    previous[index] = low === 0 ? -1 : (ends[low - 1] ?? -1);
    ends[low] = index;
  }
  const chosen: (readonly [number, number])[] = [];
  for (let index = ends.at(-1) ?? -1; index >= 0; index = previous[index] ?? -1) {
    const pair = pairs[index];
    if (pair !== undefined) chosen.push(pair);
  }
  return chosen.reverse();
}

function onceIn(lines: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  const repeated = new Set<string>();
  for (const [index, line] of lines.entries()) {
    if (found.has(line)) repeated.add(line);
    found.set(line, index);
  }
  for (const line of repeated) found.delete(line);
  return found;
}

function hunksOf(edits: readonly Edit[]): string[] {
  const changed = edits.flatMap(([sign], index) => (sign === " " ? [] : [index]));
  const spans: { from: number; to: number }[] = [];
  for (const index of changed) {
    const last = spans.at(-1);
    const from = Math.max(0, index - context);
    const to = Math.min(edits.length, index + context + 1);
    if (last !== undefined && from <= last.to) last.to = to;
    else spans.push({ from, to });
  }
  let position = 0;
  let lineA = 1;
  let lineB = 1;
  return spans.map(({ from, to }) => {
    for (; position < from; position++) {
      lineA++;
      lineB++;
    }
    const part = edits.slice(from, to);
    const lengthA = part.filter(([sign]) => sign !== "+").length;
    const lengthB = part.filter(([sign]) => sign !== "-").length;
    // an empty side is named by the line before it
    const start = (line: number, length: number) => (length === 0 ? line - 1 : line);
    const header = `@@ -${start(lineA, lengthA)},${lengthA} +${start(lineB, lengthB)},${lengthB} @@\n`;
    lineA += lengthA;
    lineB += lengthB;
    position = to;
    return header + part.map(([sign, line]) => `${sign}${line}\n`).join("");
  });
}
