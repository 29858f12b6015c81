// In: a width, answers to questions. Out: a Terminal that keeps what was written.
import type { Terminal } from "../../packages/coordinator/src/cli/terminal.ts";
import { makePaint } from "../../packages/coordinator/src/view/paint.ts";

export interface CapturedTerminal extends Terminal {
  readonly outLines: string[];
  readonly errLines: string[];
}

export function capturedTerminal(secrets?: string[]): CapturedTerminal {
  const outLines: string[] = [];
  const errLines: string[] = [];
  return {
    outLines,
    errLines,
    out: (line) => void outLines.push(...line.split("\n")),
    err: (line) => void errLines.push(...line.split("\n")),
    width: () => undefined,
    paint: makePaint(false),
    live: false,
    repaint: () => undefined,
    endRepaint: () => undefined,
    askSecret: async () => secrets?.shift(),
  };
}
