// In: a text and a unified diff of it. Out: the text after it; throws when the diff does not fit, line for line.

export function applyPatch(text: string, patch: string): string {
  const before = text.split("\n");
  const after: string[] = [];
  let at = 0;
  for (const line of patch.split("\n").slice(2)) {
    const hunk = /^@@ -(\d+),(\d+) \+\d+,\d+ @@$/.exec(line);
    if (hunk !== null) {
      // an empty side is named by the line before it
      const start = Number(hunk[1]) - (hunk[2] === "0" ? 0 : 1);
      after.push(...before.slice(at, start));
      at = start;
    } else if (line.startsWith("+")) after.push(line.slice(1));
    else if (line !== "") {
      if (before[at] !== line.slice(1))
        throw new Error(`line ${at + 1} is ${before[at]}, not ${line.slice(1)}`);
      if (line.startsWith(" ")) after.push(line.slice(1));
      at++;
    }
  }
  return [...after, ...before.slice(at)].join("\n");
}
