// In: guard flows that a change would cut or weaken. Out: lines for people, and JSON. Pure.
import { type Paint, printable } from "./paint.ts";

export interface RiskView {
  readonly code: string;
  readonly nodes: readonly string[];
  readonly text: string;
  readonly todo: string;
  /** Empty, with line 0: no place in the new file. */
  readonly file: string;
  readonly line: number;
}

const mostNodes = 5;

function nodesText(nodes: readonly string[]): string {
  const more = nodes.length > mostNodes ? ` and ${nodes.length - mostNodes} more` : "";
  return `${nodes.slice(0, mostNodes).join(", ")}${more}`;
}

export function renderRisks(risks: readonly RiskView[], paint: Paint): string[] {
  return risks.flatMap(({ code, nodes, text, todo, file, line }) => {
    const place = line === 0 ? "" : `${file}:${line}: `;
    return [
      `${paint("bad", code)} ${printable(`${place}${text} (on ${nodesText(nodes)})`)}`,
      `  Do: ${printable(todo)}; or, if it is meant, --accept-risk ${printable(code)}`,
    ];
  });
}

/** One line each, for a change that goes on all the same. */
export function renderAcceptedRisks(risks: readonly RiskView[], unneeded: readonly string[]): string[] {
  return [
    ...risks.map(({ code, nodes, text }) => printable(`accepted ${code}: ${text} (on ${nodesText(nodes)})`)),
    ...unneeded.map((code) => printable(`remark: --accept-risk ${code} was not needed`)),
  ];
}

/** "--accept-risk GUARD-ADMIN --accept-risk GUARD-PORT" */
export function acceptFlags(risks: readonly RiskView[]): string {
  return [...new Set(risks.map(({ code }) => `--accept-risk ${code}`))].join(" ");
}

/** The shape of docs/guards.md. */
export function riskJson({ code, nodes, text, todo, file, line }: RiskView) {
  return {
    code,
    nodes,
    text,
    todo,
    file: file === "" ? null : file,
    line: line === 0 ? null : line,
  };
}
