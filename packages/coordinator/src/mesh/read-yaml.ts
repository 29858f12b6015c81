// In: the text of one mesh file. Out: a cursor over it, or the problems that make it no YAML map. Pure; never throws.
import { messageOf } from "@weft/shared/errors/weft-error";
import type { Place, Problem } from "@weft/shared/model/mesh";
import { type Document, isMap, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { type Cursor, type CursorSource, keyText, makeCursor, placeOfOffset } from "./cursor.ts";
import { errorAt } from "./problem.ts";

export interface MeshSource {
  readonly name: string;
  readonly text: string;
}

const maxBytes = 4 * 1024 * 1024;
/** Uses of anchors in one file. Each may multiply what it names, so this bounds the work, too. */
const maxAliases = 100;

export function readYaml(source: MeshSource): {
  readonly root: Cursor | undefined;
  readonly problems: Problem[];
} {
  const start: Place = { file: source.name, line: 1, column: 1 };
  const refuse = (...problems: Problem[]) => ({ root: undefined, problems });
  if (Buffer.byteLength(source.text) > maxBytes)
    return refuse(
      errorAt(start, "the file is too large", { allowed: "at most 4 MiB; split it into a directory" }),
    );
  try {
    const lines = new LineCounter();
    // our own check of duplicate keys is linear, the library's is not
    const options = {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: "error",
    } as const;
    const document: Document = parseDocument(source.text, options);
    const from: CursorSource = { file: source.name, document, lines };
    const problems = [...document.errors, ...document.warnings].map((error) =>
      errorAt(
        placeOfOffset(from, error.pos[0]),
        error.code === "MULTIPLE_DOCS" ? "a second document begins here" : firstSentence(error.message),
        error.code === "MULTIPLE_DOCS" ? { allowed: "one document; use a directory for several files" } : {},
      ),
    );
    if (problems.length > 0) return refuse(...problems);
    const value: unknown = document.toJS({ maxAliasCount: maxAliases });
    problems.push(...duplicateKeys(from));
    if (!isMap(document.contents)) {
      const what = value === null || value === undefined ? "the file is empty" : "the file is no map of keys";
      return refuse(...problems, errorAt(start, what, { allowed: "a mesh file, beginning with: weft: v1" }));
    }
    return { root: makeCursor(from, document.contents, null, value), problems };
  } catch (error) {
    return refuse(errorAt(start, unreadableBecause(error)));
  }
}

function unreadableBecause(error: unknown): string {
  const message = messageOf(error);
  if (/alias count/i.test(message)) return `the file uses anchors more than ${maxAliases} times over`;
  if (/call stack/i.test(message)) return "the file is nested too deeply";
  return `the file cannot be read as YAML: ${firstSentence(message)}`;
}

function firstSentence(message: string): string {
  const line = message.split("\n")[0] ?? message;
  const text = line.trim();
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function duplicateKeys(source: CursorSource): Problem[] {
  const problems: Problem[] = [];
  visit(source.document, {
    Map(_key, map) {
      const first = new Map<string, number>();
      for (const { key } of map.items) {
        const name = keyText(key);
        const offset = (isScalar(key) ? key.range?.[0] : undefined) ?? map.range?.[0] ?? 0;
        const before = first.get(name);
        if (before === undefined) first.set(name, offset);
        else {
          const { line } = placeOfOffset(source, before);
          problems.push(
            errorAt(
              placeOfOffset(source, offset),
              `${JSON.stringify(name)} is given twice, first on line ${line}`,
            ),
          );
        }
      }
    },
  });
  return problems;
}
