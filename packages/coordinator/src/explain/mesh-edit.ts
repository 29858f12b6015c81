// In: the text of a mesh file. Out: the same text with one policy more, one less, or a selector less in one; every other
// byte as it was. undefined: the file is written in a form this does not edit. Pure.
import { isMap, isNode, isSeq, type Node, parseDocument, type YAMLSeq } from "yaml";

interface Item {
  readonly node: Node;
  /** Of the line with its dash. */
  readonly start: number;
  readonly indent: string;
  /** After its last line. */
  readonly end: number;
}

function policiesOf(text: string): YAMLSeq | undefined {
  const document = parseDocument(text, { logLevel: "silent", prettyErrors: false });
  const found = isMap(document.contents) ? document.contents.get("policies", true) : undefined;
  return isSeq(found) ? found : undefined;
}

/** Items of a list in block style. */
function itemsOf(text: string, list: YAMLSeq): Item[] | undefined {
  const items = list.items.map((node): Item | undefined => {
    if (!isNode(node) || node.range === undefined || node.range === null) return undefined;
    const [from, to] = node.range;
    const start = text.lastIndexOf("\n", from - 1) + 1;
    const indent = /^(\s*)-\s/.exec(text.slice(start, from + 1))?.[1];
    if (indent === undefined) return undefined;
    const next = text.indexOf("\n", trimmedEnd(text, from, to));
    return { node, start, indent, end: next < 0 ? text.length : next + 1 };
  });
  return items.every((item) => item !== undefined) ? items : undefined;
}

function trimmedEnd(text: string, from: number, to: number): number {
  return from + text.slice(from, to).trimEnd().length;
}

/** @param line as in a block list, without indentation: "- { name: ... }" */
export function withPolicy(text: string, line: string): string | undefined {
  const ended = text.endsWith("\n") || text === "" ? text : `${text}\n`;
  const list = policiesOf(ended);
  if (list === undefined) {
    // an empty key, or a list in a form of its own
    return /^policies\s*:/m.test(ended) ? undefined : `${ended}\npolicies:\n  ${line}\n`;
  }
  const last = itemsOf(ended, list)?.at(-1);
  if (last === undefined) return undefined;
  return `${ended.slice(0, last.end)}${last.indent}${line}\n${ended.slice(last.end)}`;
}

function policyNamed(text: string, name: string): Item | undefined {
  const list = policiesOf(text);
  const items = list === undefined ? undefined : itemsOf(text, list);
  return items?.find(({ node }) => isMap(node) && node.get("name") === name);
}

export function withoutPolicy(text: string, name: string): string | undefined {
  const item = policyNamed(text, name);
  return item === undefined ? undefined : text.slice(0, item.start) + text.slice(item.end);
}

/** @param index of the selector in the policy's `from`, which keeps at least one other */
export function withoutSelector(text: string, name: string, index: number): string | undefined {
  const item = policyNamed(text, name);
  const from = isMap(item?.node) ? item.node.get("from", true) : undefined;
  if (!isSeq(from) || from.items.length < 2) return undefined;
  const block = itemsOf(text, from)?.[index];
  if (!from.flow && block !== undefined) return text.slice(0, block.start) + text.slice(block.end);
  const ranges = from.items.map((node) => (isNode(node) ? node.range : undefined));
  const own = ranges[index];
  const before = ranges[index - 1];
  const after = ranges[index + 1];
  if (!from.flow || own === undefined || own === null) return undefined;
  if (after !== undefined && after !== null) return text.slice(0, own[0]) + text.slice(after[0]);
  if (before === undefined || before === null) return undefined;
  return text.slice(0, before[1]) + text.slice(own[1]);
}
