// In: rules of a node. Out: the same in the order of what they say, so that the file's order does not show. Pure.

export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function inOrder<T extends object>(rules: readonly T[]): T[] {
  return rules
    .map((rule) => [sortKey(rule), rule] as const)
    .sort(([a], [b]) => byText(a, b))
    .map(([, rule]) => rule);
}

function sortKey(rule: object): string {
  return JSON.stringify(rule, (key, value: unknown) =>
    key === "from" && typeof value === "number" ? String(value).padStart(5, "0") : value,
  );
}
