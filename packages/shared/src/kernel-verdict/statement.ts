// In: the statements of a rule, the packet and its table. Out: whether the rule matches, by which elements, and what
// it then does. Statements this release does not know make it unknown, never a guess. Pure.
import { fieldsOf } from "./field.ts";
import { asList, asObject, asText, type Json } from "./json.ts";
import { elementsFor, type Hit, isAbsent, isByUid, lookUp, matchOf } from "./match.ts";
import type { Packet } from "./packet.ts";
import type { NftTable } from "./ruleset.ts";
import { all, isUnknown, type Truth, type Unknown } from "./truth.ts";

export type Action =
  | { readonly kind: "accept" | "drop" | "reject" | "return" | "none" }
  | { readonly kind: "jump" | "goto"; readonly target: string };

export interface Judged {
  readonly truth: Truth;
  readonly action: Action | Unknown;
  readonly hits: readonly Hit[];
  /** What was taken for granted. */
  readonly assumed: readonly string[];
}

/** Whatever else they do, the packet goes on as it was, and so does the rule. */
const passing: ReadonlySet<string> = new Set(["counter", "log", "comment"]);

export function judgeRule(statements: readonly unknown[], packet: Packet, table: NftTable): Judged {
  const truths: Truth[] = [];
  const hits: Hit[] = [];
  const assumed: string[] = [];
  let action: Action | Unknown = { kind: "none" };
  for (const statement of statements) {
    const object = asObject(statement);
    const [entry] = Object.entries(object ?? {});
    if (object === undefined || entry === undefined) {
      truths.push({ unknown: "a statement that nft does not print" });
      action = { unknown: "a statement that nft does not print" };
      continue;
    }
    const [name, value] = entry;
    const body = asObject(value) ?? {};
    if (name === "match") {
      const matched = matchOf(body, packet, table);
      truths.push(matched.truth);
      hits.push(...matched.hits);
    } else if (name === "set") {
      truths.push(recorded(body, packet, table));
      if (hasLimit(body)) assumed.push("its rate limit is not reached");
    } else if (name === "limit") {
      assumed.push("its rate limit is not reached");
      truths.push(body["inv"] !== true);
    } else if (name === "vmap") {
      const mapped = mappedVerdict(body, packet, table);
      truths.push(mapped.truth);
      hits.push(...mapped.hits);
      action = mapped.action;
    } else if (!passing.has(name)) action = actionOf(name, body);
  }
  return { truth: all(truths), action, hits, assumed };
}

function hasLimit(body: Json): boolean {
  return asList(body["stmt"])?.some((part) => asObject(part)?.["limit"] !== undefined) === true;
}

function actionOf(name: string, body: Json): Action | Unknown {
  switch (name) {
    case "accept":
    case "drop":
    case "reject":
    case "return":
      return { kind: name };
    case "continue":
      return { kind: "none" };
    case "jump":
    case "goto": {
      const target = asText(body["target"]);
      return target === undefined ? { unknown: `a ${name} to nowhere` } : { kind: name, target };
    }
    default:
      return { unknown: `the statement "${name}"` };
  }
}

/** A set that takes no more ends the rule there. */
function recorded(body: Json, packet: Packet, table: NftTable): Truth {
  const { op, elem } = body as { readonly op?: unknown; readonly elem?: unknown };
  const fields = fieldsOf(elem, packet);
  if (isAbsent(fields)) return false;
  if (op === "delete") return { unknown: "a deletion from a set" };
  const name = asText(body["set"])?.replace(/^@/, "") ?? "";
  const set = table.sets.get(name);
  if (set === undefined) return { unknown: `the set ${name}` };
  if (set.size === undefined || set.elements.length < set.size) return true;
  return lookUp(fields, set.elements).truth;
}

function mappedVerdict(
  body: Json,
  packet: Packet,
  table: NftTable,
): { readonly truth: Truth; readonly action: Action | Unknown; readonly hits: readonly Hit[] } {
  const fields = fieldsOf(body["key"], packet);
  const none = { action: { kind: "none" }, hits: [] } as const;
  if (isAbsent(fields)) return { truth: false, ...none };
  const elements = elementsFor(body["data"], table);
  if (elements === undefined) return { truth: { unknown: "a map" }, ...none };
  const { truth, element } = lookUp(fields, elements);
  if (isUnknown(truth)) return { truth, action: truth, hits: [] };
  if (element === undefined) return { truth: false, ...none };
  const [verdict] = Object.entries(asObject(element.verdict) ?? {});
  return {
    truth: true,
    action:
      verdict === undefined
        ? { unknown: "a map without verdicts" }
        : actionOf(verdict[0], asObject(verdict[1]) ?? {}),
    hits: [
      {
        set: asText(body["data"])?.replace(/^@/, "") ?? "",
        comment: element.comment,
        byUid: isByUid(fields),
      },
    ],
  };
}
