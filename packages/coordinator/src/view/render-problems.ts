// In: the problems of a mesh file. Out: a line for each, in the form editors jump to. Pure.
import type { Problem } from "@weft/shared/model/mesh";
import { type Paint, printable } from "./paint.ts";

export function renderProblem(problem: Problem, paint: Paint): string {
  const { file, line, column } = problem.place;
  const help = [
    ...(problem.allowed === undefined ? [] : [`allowed: ${problem.allowed}`]),
    ...(problem.near === undefined ? [] : [`did you mean ${problem.near}?`]),
  ];
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  const word = problem.severity === "warning" ? paint("doubtful", "warning: ") : "";
  return (
    printable(`${place}: `) +
    word +
    printable(`${problem.message}${help.length === 0 ? "" : ` (${help.join("; ")})`}`)
  );
}

export function renderProblems(problems: readonly Problem[], paint: Paint): string[] {
  return problems.map((problem) => renderProblem(problem, paint));
}
