// In: what `nft -j list ruleset` or `nft -j list table ...` printed. Out: tables with chains, rules and sets. Pure.
// Statements stay as nft wrote them: what they mean is judged one by one, and what is not known is said to be so.
import { WeftError } from "../errors/weft-error.ts";
import { asList, asObject, type Json } from "./json.ts";

export interface NftRule {
  readonly handle: number;
  readonly statements: readonly unknown[];
}

export interface NftChain {
  readonly name: string;
  readonly rules: NftRule[];
  /** Only of base chains. */
  readonly base:
    | { readonly type: string; readonly hook: string; readonly priority: number; readonly policy: string }
    | undefined;
}

export interface NftElement {
  readonly key: unknown;
  /** Of a verdict map. */
  readonly verdict: unknown;
  readonly comment: string;
}

export interface NftSet {
  readonly name: string;
  readonly size: number | undefined;
  readonly elements: readonly NftElement[];
}

export interface NftTable {
  readonly family: string;
  readonly name: string;
  readonly chains: Map<string, NftChain>;
  /** Maps, too. */
  readonly sets: Map<string, NftSet>;
}

export type Ruleset = readonly NftTable[];

export function parseRuleset(nftJson: string): Ruleset {
  let parsed: unknown;
  try {
    parsed = JSON.parse(nftJson);
  } catch {
    parsed = undefined;
  }
  const items = asList(asObject(parsed)?.["nftables"]);
  if (items === undefined) throw new WeftError("WEFT-E003", "what nft printed is not understood");
  const tables = new Map<string, NftTable>();
  const tableOf = (family: unknown, name: unknown): NftTable => {
    const key = `${String(family)} ${String(name)}`;
    const found = tables.get(key) ?? {
      family: String(family),
      name: String(name),
      chains: new Map<string, NftChain>(),
      sets: new Map<string, NftSet>(),
    };
    tables.set(key, found);
    return found;
  };
  const rules: Json[] = [];
  for (const item of items) {
    const object = asObject(item) ?? {};
    const table = asObject(object["table"]);
    if (table !== undefined) tableOf(table["family"], table["name"]);
    const chain = asObject(object["chain"]);
    if (chain !== undefined) {
      const parsedChain = chainOf(chain);
      tableOf(chain["family"], chain["table"]).chains.set(parsedChain.name, parsedChain);
    }
    const set = asObject(object["set"]) ?? asObject(object["map"]);
    if (set !== undefined) tableOf(set["family"], set["table"]).sets.set(String(set["name"]), setOf(set));
    const rule = asObject(object["rule"]);
    if (rule !== undefined) rules.push(rule);
  }
  for (const rule of rules)
    tableOf(rule["family"], rule["table"])
      .chains.get(String(rule["chain"]))
      ?.rules.push({ handle: Number(rule["handle"]), statements: asList(rule["expr"]) ?? [null] });
  return [...tables.values()];
}

function chainOf(chain: Json): NftChain {
  const { hook } = chain as { readonly hook?: unknown };
  return {
    name: String(chain["name"]),
    rules: [],
    base:
      typeof hook === "string"
        ? {
            type: String(chain["type"]),
            hook,
            priority: Number(chain["prio"]),
            policy: String(chain["policy"] ?? "accept"),
          }
        : undefined,
  };
}

function setOf(set: Json): NftSet {
  const { size } = set as { readonly size?: unknown };
  return {
    name: String(set["name"]),
    size: typeof size === "number" ? size : undefined,
    elements: elementsOf(asList(set["elem"]) ?? [], set["map"] !== undefined),
  };
}

/** Elements of a set, or [key, verdict] pairs of a map. */
export function elementsOf(list: readonly unknown[], isMap: boolean): NftElement[] {
  return list.map((entry) => {
    const pair = isMap ? asList(entry) : undefined;
    const key = pair === undefined ? entry : pair[0];
    const element = asObject(asObject(key)?.["elem"]);
    const comment = element?.["comment"];
    return {
      key: element === undefined ? key : element["val"],
      verdict: pair?.[1],
      comment: typeof comment === "string" ? comment : "",
    };
  });
}
