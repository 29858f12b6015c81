// In: rules of a node. Out: the same in the order of what they say, so that the file's order does not show. Pure.
import { byText } from "@weft/shared/plan/text-order";

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
