// In: `baseline:` as the schema understood it, and where it was written. Out: its entries. Pure.
import type { BaselineEntry, BaselineOpening, BaselineSource, Place } from "@weft/shared/model/mesh";
import { icmpPort } from "@weft/shared/model/text-forms";
import type { Cursor } from "./cursor.ts";
import type { RawBaseline } from "./schema.ts";

/** One entry may stand by itself, without a list. */
export function baselineOf(raw: RawBaseline | readonly RawBaseline[], cursor: Cursor): BaselineEntry[] {
  if (!Array.isArray(raw)) return [entryOf(raw as RawBaseline, cursor)];
  return raw.map((entry: RawBaseline, index) => entryOf(entry, cursor.at([index])));
}

function entryOf(raw: RawBaseline, cursor: Cursor): BaselineEntry {
  return {
    nodes: raw.nodes?.map((node, index) => {
      const { place } = cursor.at(["nodes", index]);
      return typeof node === "string"
        ? { kind: "node", name: node, place }
        : { kind: "labels", labels: node.labels, place };
    }),
    closes: raw.inbound === "deny",
    mode: raw.mode,
    allow: (raw.allow ?? []).map((opening, index) => openingOf(opening, cursor.at(["allow", index]))),
    place: raw.inbound === undefined ? cursor.place : cursor.at(["inbound"]).place,
  };
}

function openingOf(raw: NonNullable<RawBaseline["allow"]>[number], cursor: Cursor): BaselineOpening {
  return {
    from: raw.from.map((source, index) => sourceOf(source, cursor.at(["from", index]).place)),
    ports: raw.ports.flatMap((port) => (port === icmpPort || port === undefined ? [] : [port])),
    icmp: raw.ports.includes(icmpPort),
    place: cursor.place,
  };
}

type RawSource = NonNullable<RawBaseline["allow"]>[number]["from"][number];

function sourceOf(raw: RawSource, place: Place): BaselineSource {
  if (raw.node !== undefined) return { kind: "node", name: raw.node, place };
  if ("cidr" in raw && raw.cidr !== undefined) return { kind: "cidr", cidr: raw.cidr, place };
  return { kind: "any", place };
}
