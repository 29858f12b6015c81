// In: the syntax tree of a floor file. Out: its parts, each with its line; what does not belong there as problems in the
// form of the mesh file's: place, what is wrong, what is allowed, what was probably meant. Pure.
import { nearestName } from "@weft/shared/model/near";
import type { TextForm } from "@weft/shared/model/text-forms";
import { isMap, isNode, isScalar, isSeq, type LineCounter, type Node } from "yaml";
import type { FloorItem, FloorList, FloorWord } from "./floor.ts";

export interface Part {
  readonly line: number;
  readonly path: string;
  readonly node: Node | null;
  /** Where a problem with the whole of it is shown. */
  readonly offset: number;
}

interface Detail {
  readonly allowed?: string;
  readonly near?: string | undefined;
}

export class FloorReader {
  readonly problems: string[] = [];
  readonly #file: string;
  readonly #lines: LineCounter;

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  refuse(offset: number, message: string, { allowed, near }: Detail = {}): void {
    const { line, col } = this.#lines.linePos(offset);
    const parts = [`${this.#file}:${Math.max(line, 1)}:${Math.max(col, 1)}: ${message}`];
    if (allowed !== undefined) parts.push(`allowed: ${allowed}`);
    if (near !== undefined) parts.push(`did you mean ${JSON.stringify(near)}?`);
    this.problems.push(parts.join("; "));
  }

  /** The parts of a map, by key; none for a part that was left out. */
  map(part: Part | undefined, keys: readonly string[]): ReadonlyMap<string, Part> {
    const found = new Map<string, Part>();
    if (part === undefined) return found;
    if (!isMap(part.node)) {
      this.refuse(part.offset, `${part.path} is no map`, { allowed: `a map with ${keys.join(", ")}` });
      return found;
    }
    for (const { key, value } of part.node.items) {
      const offset = (isNode(key) ? key.range?.[0] : undefined) ?? part.offset;
      const name = isScalar(key) && typeof key.value === "string" ? key.value : undefined;
      const path = part.path === "" ? (name ?? "") : `${part.path}.${name ?? ""}`;
      if (name === undefined || !keys.includes(name))
        this.refuse(offset, `unknown key ${JSON.stringify(name ?? String(key))}`, {
          allowed: keys.join(", "),
          near: name === undefined ? undefined : nearestName(name, keys),
        });
      else if (found.has(name)) this.refuse(offset, `${path} is given twice`);
      else
        found.set(name, {
          line: this.#lines.linePos(offset).line,
          path,
          node: isNode(value) ? value : null,
          offset,
        });
    }
    return found;
  }

  /** An empty list is one that allows nothing; a key without a value is a slip. */
  list<T>(part: Part | undefined, form: TextForm<T>): FloorList<T> | undefined {
    if (part === undefined) return undefined;
    if (!isSeq(part.node)) {
      this.refuse(part.offset, `${part.path} is no list`, { allowed: `a list; each entry ${form.allowed}` });
      return undefined;
    }
    const items: FloorItem<T>[] = [];
    for (const item of part.node.items) {
      const offset = (isNode(item) ? item.range?.[0] : undefined) ?? part.offset;
      const text = isScalar(item) && typeof item.value === "string" ? item.value : undefined;
      const value = text === undefined ? undefined : form.parse(text);
      if (value === undefined)
        this.refuse(offset, `${JSON.stringify(text ?? String(item))} is no ${form.what}`, {
          allowed: form.allowed,
          near: text === undefined ? undefined : form.near?.(text),
        });
      else items.push({ value, line: this.#lines.linePos(offset).line });
    }
    return { line: part.line, items };
  }

  /** @param free values that bound nothing */
  word(part: Part | undefined, bound: string, free: readonly string[] = []): FloorWord | undefined {
    if (part === undefined) return undefined;
    const text = isScalar(part.node) && typeof part.node.value === "string" ? part.node.value : undefined;
    if (text === bound) return { line: part.line };
    if (text !== undefined && free.includes(text)) return undefined;
    const allowed = [bound, ...free];
    this.refuse(
      part.offset,
      `${part.path} is ${JSON.stringify(text ?? (String(part.node ?? "") || "empty"))}`,
      {
        allowed: allowed.join(", "),
        near: text === undefined ? undefined : nearestName(text, allowed),
      },
    );
    return undefined;
  }

  yesOrNo(part: Part | undefined): FloorItem<boolean> | undefined {
    if (part === undefined) return undefined;
    const value = isScalar(part.node) ? part.node.value : undefined;
    if (typeof value === "boolean") return { value, line: part.line };
    const text = typeof value === "string" ? value : String(value ?? "empty");
    this.refuse(part.offset, `${part.path} is ${JSON.stringify(text)}`, {
      allowed: "true, false",
      near: typeof value === "string" ? nearestName(value, ["true", "false"]) : undefined,
    });
    return undefined;
  }
}
