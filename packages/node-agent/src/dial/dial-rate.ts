// In: moments at which a connection is wanted. Out: whether it may be, so that no minute has more than so many. Pure.

const windowMs = 60_000;

export class DialRate {
  readonly #most: number;
  #admitted: number[] = [];

  constructor(mostAMinute: number) {
    this.#most = mostAMinute;
  }

  admits(now: Date): boolean {
    const at = now.getTime();
    // a clock that was set back must not shut the door until it is there again
    this.#admitted = this.#admitted.filter((time) => time <= at && at - time < windowMs);
    if (this.#admitted.length >= this.#most) return false;
    this.#admitted.push(at);
    return true;
  }
}
