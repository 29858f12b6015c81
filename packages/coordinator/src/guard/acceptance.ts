// In: the risks of a change, and the codes an operator named. Out: whether it may go on, what was accepted, and what was
// named for nothing. Pure. Every code has to be named: one accepted risk is no word about another.
import { WeftError } from "@weft/shared/errors/weft-error";
import { nearestName } from "@weft/shared/model/near";
import { byText } from "@weft/shared/plan/text-order";
import { type Risk, type RiskCode, riskCodes, riskKinds } from "./risk.ts";

export interface Weighed {
  /** Nobody accepted them: the change must not be made. */
  readonly open: readonly Risk[];
  readonly accepted: readonly Risk[];
  /** Named, and not needed. */
  readonly unneeded: readonly RiskCode[];
}

export function weigh(risks: readonly Risk[], accepted: readonly RiskCode[]): Weighed {
  const named = new Set(accepted);
  const there = new Set(risks.map(({ code }) => code));
  return {
    open: risks.filter(({ code }) => !named.has(code)),
    accepted: risks.filter(({ code }) => named.has(code)),
    unneeded: [...named].filter((code) => !there.has(code)),
  };
}

export function parseRiskCode(text: string): RiskCode {
  const code = riskCodes.find((known) => known === text);
  if (code !== undefined) return code;
  const near = nearestName(text, riskCodes);
  throw new WeftError("WEFT-E001", `there is no risk "${text.slice(0, 80)}"`, {
    hint: near === undefined ? `allowed: ${riskCodes.join(", ")}` : `did you mean ${near}?`,
  });
}

/** "GUARD-ADMIN, GUARD-PORT" */
export function codesText(risks: readonly Risk[]): string {
  return [...new Set(risks.map(({ code }) => code))].sort(byText).join(", ");
}

/** The reason as the history keeps it. */
export function reasonWith(reason: string, accepted: readonly Risk[]): string {
  if (accepted.length === 0) return reason;
  const note = `accepted risks: ${codesText(accepted)}`;
  return reason === "" ? note : `${reason} (${note})`;
}

/** The same said of several nodes, once. */
export interface RiskGroup {
  readonly code: string;
  readonly nodes: string[];
  readonly text: string;
  readonly todo: string;
  /** Empty, with line 0: nowhere. */
  readonly file: string;
  readonly line: number;
}

export function groupRisks(risks: readonly Risk[]): RiskGroup[] {
  const groups = new Map<string, RiskGroup>();
  for (const { code, node, text, place } of risks) {
    const key = JSON.stringify([code, text, place?.file, place?.line]);
    const group = groups.get(key) ?? {
      code,
      nodes: [],
      text,
      todo: riskKinds[code].todo,
      file: place?.file ?? "",
      line: place?.line ?? 0,
    };
    if (!group.nodes.includes(node)) group.nodes.push(node);
    groups.set(key, group);
  }
  const places = new Map<string, number>(riskCodes.map((code, index) => [code, index]));
  const order = (code: string): number => places.get(code) ?? 0;
  return [...groups.values()]
    .map((group) => ({ ...group, nodes: group.nodes.sort(byText) }))
    .sort((a, b) => order(a.code) - order(b.code) || a.line - b.line || (a.text < b.text ? -1 : 1));
}
