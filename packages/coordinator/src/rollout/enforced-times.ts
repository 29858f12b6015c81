// In: how long each node took from being given a change to its kernel's word being heard. Out: how long it takes, and who
// is slow. Pure.
import { byText } from "@weft/shared/plan/text-order";

export interface EnforcedTimes {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Took more than three times as long as the one in the middle, or half as long again and is an outlier among them. */
  readonly slow: readonly string[];
}

const slowFactor = 3;
const outlierFactor = 1.5;
/** Of the middle half's width, above it: Tukey's fence. */
const fence = 1.5;

/** Of sorted times, by nearest rank. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** undefined: nobody was heard. */
export function enforcedTimes(tookMs: ReadonlyMap<string, number>): EnforcedTimes | undefined {
  if (tookMs.size === 0) return undefined;
  const sorted = [...tookMs.values()].sort((a, b) => a - b);
  const p50Ms = percentile(sorted, 0.5);
  const [low, high] = [percentile(sorted, 0.25), percentile(sorted, 0.75)];
  const outside = Math.max(outlierFactor * p50Ms, high + fence * (high - low));
  const isSlow = (took: number) => took > slowFactor * p50Ms || took > outside;
  const slow = [...tookMs].filter(([, took]) => isSlow(took)).map(([node]) => node);
  return { p50Ms, p99Ms: percentile(sorted, 0.99), maxMs: sorted.at(-1) ?? 0, slow: slow.sort(byText) };
}
