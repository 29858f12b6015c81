// In: what the layers of an image have, one after the other. Out: what is there after the last. Pure.
import { isAtOrBelow } from "./decide-entry.ts";

export class LayerTree {
  /** Path -> the layer it is from. */
  readonly #files = new Map<string, number>();

  has(path: string): boolean {
    return this.#files.has(path);
  }

  /** Anything at or below it. */
  hasBelow(folder: string): boolean {
    return [...this.#files.keys()].some((path) => isAtOrBelow(path, folder));
  }

  take(path: string, layer: number): void {
    this.#files.set(path, layer);
  }

  /** @returns what is there no more, of those that `isMeant` and that are from a layer below `layer` */
  lose(layer: number, isMeant: (path: string) => boolean): string[] {
    const lost = [...this.#files].filter(([path, from]) => from < layer && isMeant(path));
    for (const [path] of lost) this.#files.delete(path);
    return lost.map(([path]) => path);
  }
}
