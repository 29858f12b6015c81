// In: what a value is made from, as text. Out: the very value made from the same before, or a new one. Pure to whoever
// asks: it can only save work. Keeps what the last two rounds asked for, so a plan beside the mesh in force costs nothing.

export class Memo<T> {
  #now = new Map<string, T>();
  #before: ReadonlyMap<string, T> = new Map();

  of(from: string, make: () => T): T {
    const known = this.#now.get(from) ?? this.#before.get(from) ?? make();
    this.#now.set(from, known);
    return known;
  }

  /** What is asked for from now on is of the next round. */
  next(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }
}
