// Problem of the mesh file <-> weft.v1.Problem.
import type * as wire from "../gen/weft/v1/control.ts";
import type { Problem } from "../model/mesh.ts";
import { oneOf } from "./number.ts";

export function encodeProblem(problem: Problem): wire.Problem {
  return {
    ...problem.place,
    message: problem.message,
    allowed: problem.allowed ?? "",
    near: problem.near ?? "",
    severity: problem.severity,
  };
}

export function decodeProblem(message: wire.Problem): Problem {
  return {
    place: { file: message.file, line: message.line, column: message.column },
    severity: oneOf(message.severity, ["error", "warning"], "severity"),
    message: message.message,
    allowed: message.allowed === "" ? undefined : message.allowed,
    near: message.near === "" ? undefined : message.near,
  };
}
