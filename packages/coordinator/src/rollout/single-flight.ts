// In: requests to run a piece of work. Out: it runs, one at a time; requests during a run are answered by one more run
// after it, so that each request is followed by a whole run.

export class SingleFlight {
  readonly #work: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  run(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    const again = () => this.#start();
    this.#next ??= this.#running.then(again, again);
    return this.#next;
  }

  #start(): Promise<void> {
    this.#next = undefined;
    const running = this.#work().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }
}
