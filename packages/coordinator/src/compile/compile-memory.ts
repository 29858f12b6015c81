// What one compilation leaves to the next: pieces and whole contents that are made from the same are the very same, so
// that what an edit does not concern is neither made again nor looked at again. Holds no meaning of its own.
import type { DesiredContent } from "@weft/shared/model/desired";
import { Memo } from "./memo.ts";
import type { ServicePieces } from "./service-pieces.ts";

interface Made {
  readonly parts: readonly unknown[];
  readonly content: DesiredContent;
}

const rounds = 2;

export class CompileMemory {
  readonly services = new Memo<ServicePieces>();
  readonly #values = new Memo<unknown>();
  /** By node, the last first. */
  readonly #made = new Map<string, readonly Made[]>();

  /** An equal value that was there before, or this one. */
  same<T extends object>(value: T): T {
    return this.#values.of(JSON.stringify(value), () => value) as T;
  }

  content(node: string, parts: readonly unknown[], make: () => DesiredContent): DesiredContent {
    const known = this.#made.get(node) ?? [];
    const found = known.find((made) => isSame(made.parts, parts)) ?? { parts, content: make() };
    this.#made.set(node, [found, ...known.filter((made) => made !== found)].slice(0, rounds));
    return found.content;
  }

  /** After a compilation of these nodes. */
  next(nodes: ReadonlyMap<string, unknown>): void {
    this.services.next();
    this.#values.next();
    for (const node of this.#made.keys()) if (!nodes.has(node)) this.#made.delete(node);
  }
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((part, index) => part === b[index]);
}
