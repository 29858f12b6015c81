// In: what is wrong with a mesh file, and where. Out: problems in one order and as one line of text each. Pure.
import type { Place, Places, Problem } from "@weft/shared/model/mesh";

export interface ProblemDetail {
  /** What may stand here. */
  readonly allowed?: string | undefined;
  /** What was probably meant. */
  readonly near?: string | undefined;
}

export function errorAt(place: Place, message: string, detail: ProblemDetail = {}): Problem {
  return { place, severity: "error", message, allowed: detail.allowed, near: detail.near };
}

export function warningAt(place: Place, message: string, detail: ProblemDetail = {}): Problem {
  return { place, severity: "warning", message, allowed: detail.allowed, near: detail.near };
}

/** Where a field of an entry was written, or the entry itself when the field was not. */
export function fieldPlace(entry: { readonly place: Place; readonly places?: Places }, field: string): Place {
  return entry.places?.[field] ?? entry.place;
}

export function comparePlaces(a: Place, b: Place): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}

/** By place, each once. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const byText = new Map(problems.map((problem) => [describeProblem(problem), problem]));
  return [...byText.entries()]
    .sort(([textA, a], [textB, b]) => comparePlaces(a.place, b.place) || (textA < textB ? -1 : 1))
    .map(([, problem]) => problem);
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === "error");
}

/** "mesh.yaml:4:7: error: unknown key "adress"; allowed: address, labels; did you mean "address"?" */
export function describeProblem(problem: Problem): string {
  const { place } = problem;
  const parts = [`${place.file}:${place.line}:${place.column}: ${problem.severity}: ${problem.message}`];
  if (problem.allowed !== undefined) parts.push(`allowed: ${problem.allowed}`);
  if (problem.near !== undefined) parts.push(`did you mean ${JSON.stringify(problem.near)}?`);
  return parts.join("; ");
}
