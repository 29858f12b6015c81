// In: two texts. Out: which comes first, by code units: the same on every machine, whatever its locale. Pure.

export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
