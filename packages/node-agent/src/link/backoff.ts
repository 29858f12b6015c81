// In: how many attempts have failed in a row, and a random number. Out: how long to wait. Pure. Full jitter: a fleet
// that lost its coordinator at one moment must not return at one moment.

const firstMs = 250;
/** A wait is about half of the time that it has been away: after a restart all are back within seconds. */
const growth = 1.5;
const mostMs = 15_000;

/** @param random in [0, 1) */
export function backoffMs(failures: number, random: number): number {
  const ceiling = Math.min(mostMs, firstMs * growth ** Math.min(failures, 20));
  return Math.round(ceiling / 4 + random * ceiling * 0.75);
}
