// In: when each machine's verdict turned, seen from outside, and when the change was begun. Out: what is told of a way
// over all its rounds. Pure.

export interface Round {
  /** Seconds since 1970, by one clock. */
  readonly began: number;
  readonly returned: number;
  readonly flips: ReadonlyMap<string, number>;
}

export interface Summary {
  readonly rounds: number;
  readonly p50: number;
  readonly p99: number;
  /** Median over the rounds of when the last machine had turned. */
  readonly last: number;
  /** Median over the rounds of when the command came back. */
  readonly returned: number;
}

/** The smallest value that `share` of all values do not exceed (nearest rank). NaN of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** All in milliseconds after the beginning. */
export function summarise(rounds: readonly Round[]): Summary {
  const after = rounds.map(({ began, flips }) => [...flips.values()].map((at) => (at - began) * 1000));
  return {
    rounds: rounds.length,
    p50: percentile(after.flat(), 0.5),
    p99: percentile(after.flat(), 0.99),
    last: percentile(
      after.map((each) => Math.max(...each)),
      0.5,
    ),
    returned: percentile(
      rounds.map(({ began, returned }) => (returned - began) * 1000),
      0.5,
    ),
  };
}

export interface Disagreement {
  readonly machine: string;
  /** Told minus seen, in milliseconds: negative when it was told too early. */
  readonly ms: number;
}

/** What a way says of each machine, against what was seen from outside. Machines that say nothing are NaN. */
export function compare(
  told: ReadonlyMap<string, number>,
  seen: ReadonlyMap<string, number>,
): Disagreement[] {
  return [...seen].map(([machine, at]) => ({
    machine,
    ms: ((told.get(machine) ?? Number.NaN) - at) * 1000,
  }));
}
