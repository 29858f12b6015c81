// In: what a set of the table is to hold, with overlaps. Out: elements that do not overlap, in one order, with the
// comment that says where each comes from. Pure. The kernel refuses overlapping elements, so ranges are cut where
// another begins, and a block inside a larger one is left out.
import { WeftError } from "../errors/weft-error.ts";
import { type Cidr, cidrContains, compareCidrs, formatCidr, parseCidr } from "../model/address.ts";
import type { Origin, PortRange } from "../model/desired.ts";

export interface Item {
  /** Everything of the key that is a single value, as text: items of one group may overlap. */
  readonly group: string;
  /** Undefined in sets without ports. */
  readonly ports: { readonly from: number; readonly to: number } | undefined;
  /** Undefined in sets without addresses. */
  readonly block: Cidr | undefined;
  readonly comment: string;
  /** The element's key. */
  write(ports: string, block: string): string;
}

export function blockOf(text: string): Cidr {
  const block = parseCidr(text);
  if (block === undefined) throw new WeftError("WEFT-E003", `${JSON.stringify(text)} is no address or CIDR`);
  return block;
}

/** The kernel keeps at most 127 bytes, and the text is quoted without a way to escape. */
const longestComment = 120;

export function commentOf(text: string): string {
  const safe = text.replaceAll(/[^A-Za-z0-9 ._:/,=@+-]/g, "_");
  return safe.length <= longestComment ? safe : `${safe.slice(0, longestComment - 2)}..`;
}

/** "web-to-api mesh.yaml:12"; of a long file name the end is kept, because the line is there. */
export function originComment(origin: Origin): string {
  const head = origin.policy === "" ? "default" : origin.policy;
  const tail = `${origin.file}:${origin.line}`;
  const room = longestComment - head.length - 1;
  return commentOf(`${head} ${tail.length <= room ? tail : `..${tail.slice(2 - room)}`}`);
}

export function portText({ from, to }: Pick<PortRange, "from" | "to">): string {
  return from === to ? String(from) : `${from}-${to}`;
}

interface Piece {
  readonly item: Item;
  readonly from: number;
  readonly to: number;
}

/** The elements, ready to stand between braces, each once. */
export function elementsOf(items: readonly Item[]): string[] {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(item.group);
    if (group === undefined) groups.set(item.group, [item]);
    else group.push(item);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, group]) => groupElements(group));
}

function groupElements(items: readonly Item[]): string[] {
  const joined = new Map<string, Piece[]>();
  for (const piece of piecesOf(items)) {
    const key = `${piece.item.block === undefined ? "" : formatCidr(piece.item.block)} ${piece.item.comment}`;
    const pieces = joined.get(key) ?? [];
    const last = pieces.at(-1);
    if (last !== undefined && last.to + 1 === piece.from)
      pieces[pieces.length - 1] = { ...last, to: piece.to };
    else pieces.push(piece);
    joined.set(key, pieces);
  }
  return [...joined.values()]
    .flat()
    .sort((a, b) => compareBlocks(a.item.block, b.item.block) || a.from - b.from)
    .map(({ item, from, to }) => {
      const key = item.write(portText({ from, to }), item.block === undefined ? "" : formatCidr(item.block));
      return item.comment === "" ? key : `${key} comment "${item.comment}"`;
    });
}

function piecesOf(items: readonly Item[]): Piece[] {
  const edges = new Set<number>();
  for (const { ports } of items) {
    edges.add(ports?.from ?? 0);
    edges.add((ports?.to ?? 0) + 1);
  }
  const starts = [...edges].sort((a, b) => a - b);
  return starts.slice(0, -1).flatMap((from, index) => {
    const to = (starts[index + 1] ?? from + 1) - 1;
    const here = items.filter(({ ports }) => (ports?.from ?? 0) <= from && to <= (ports?.to ?? 0));
    return outermost(here).map((item) => ({ item, from, to }));
  });
}

/** Blocks are either apart or one inside the other: in order of network and size, a container comes first. */
function outermost(items: readonly Item[]): Item[] {
  const sorted = [...items].sort(
    (a, b) => compareBlocks(a.block, b.block) || (a.comment < b.comment ? -1 : a.comment > b.comment ? 1 : 0),
  );
  const kept: Item[] = [];
  for (const item of sorted) {
    const last = kept.at(-1);
    if (last === undefined || !holds(last.block, item.block)) kept.push(item);
  }
  return kept;
}

function holds(outer: Cidr | undefined, inner: Cidr | undefined): boolean {
  if (outer === undefined || inner === undefined) return outer === inner;
  return cidrContains(outer, inner);
}

function compareBlocks(a: Cidr | undefined, b: Cidr | undefined): number {
  return a === undefined || b === undefined ? 0 : compareCidrs(a, b);
}
