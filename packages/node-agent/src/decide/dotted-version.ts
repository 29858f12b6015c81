// In: two versions like "5.10" and "5.4.0-26-amd64". Out: whether the one is as new as the other. Pure.

/** undefined: it does not begin like a version. */
export function isAtLeast(version: string, least: string): boolean | undefined {
  const match = /^\d+(\.\d+)*/.exec(version);
  if (match === null) return undefined;
  const numbers = match[0].split(".").map(Number);
  for (const [index, wanted] of least.split(".").map(Number).entries()) {
    const number = numbers[index] ?? 0;
    if (number !== wanted) return number > wanted;
  }
  return true;
}
