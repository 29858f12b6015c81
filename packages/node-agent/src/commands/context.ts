// What a command gets from main.ts: the machine, the terminal, and who runs it.
import type { TokenInput } from "../enrol/token.ts";
import type { Host } from "../host/host.ts";

export interface Terminal {
  /** Data, and the narration of what is done. */
  out(line: string): void;
  err(line: string): void;
  /** Where secrets and answers are typed, and where questions are asked. */
  readonly input: TokenInput;
  readonly questions: NodeJS.WritableStream & import("node:stream").Writable;
  readonly interactive: boolean;
}

export interface CommandContext {
  readonly host: Host;
  readonly terminal: Terminal;
  readonly version: string;
  readonly isRoot: boolean;
  readonly signal: AbortSignal;
}
