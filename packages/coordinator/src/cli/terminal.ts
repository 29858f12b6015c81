// What a command may do with the terminal. The real one is stdio-terminal.ts; tests keep the lines.
import type { Paint } from "../view/paint.ts";

export interface Terminal {
  /** Data, and the narration of what is done. */
  out(line: string): void;
  /** What is wrong. */
  err(line: string): void;
  /** Columns of the terminal; undefined: a pipe, as wide as it gets. */
  width(): number | undefined;
  readonly paint: Paint;
  /** Standard output is a terminal: lines may be painted over. */
  readonly live: boolean;
  /** Paints over what the call before painted. Only on a live terminal. */
  repaint(lines: readonly string[]): void;
  /** Leaves what was painted last, and goes on below. */
  endRepaint(): void;
  /** Asks without echo; undefined: there is nobody to ask. */
  askSecret(prompt: string): Promise<string | undefined>;
}
