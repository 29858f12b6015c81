// In: a command line that enters a machine. Out: that running command: its output as it comes, its end, its signals.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Writable } from "node:stream";
import { errnoOf } from "@weft/shared/errors/system";
import { WeftError } from "@weft/shared/errors/weft-error";

export class MachineProcess {
  /** Resolves when the command and everything that holds its output have ended: exit code, or 128 + signal. */
  readonly exited: Promise<number>;
  /** Complete lines of standard output so far. */
  readonly lines: string[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  #stdout = "";
  #stderr = "";
  #partial = "";
  readonly #watchers = new Set<(line: string) => void>();

  constructor(argv: readonly [string, ...string[]]) {
    const [file, ...args] = argv;
    // a process group of its own: a signal reaches the command inside, not only the nsenter that waits for it
    this.#child = spawn(file, args, { detached: true, stdio: "pipe", cwd: "/" });
    this.exited = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) =>
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      );
    });
    // whoever awaits it hears of a failure; a command nobody awaits must not end the program
    this.exited.catch(() => undefined);
    // the command may end without reading its input
    this.#child.stdin.on("error", () => undefined);
    this.#child.stdout.setEncoding("utf8").on("data", (chunk: string) => this.#onOutput(chunk));
    this.#child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      this.#stderr += chunk;
    });
  }

  #onOutput(chunk: string): void {
    this.#stdout += chunk;
    const parts = (this.#partial + chunk).split("\n");
    this.#partial = parts.pop() ?? "";
    for (const line of parts) {
      this.lines.push(line);
      for (const watcher of this.#watchers) watcher(line);
    }
  }

  get stdin(): Writable {
    return this.#child.stdin;
  }

  /** Everything printed so far; complete once `exited` has resolved. */
  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Gives the command this input and then the end of it. */
  endInput(input: string | Uint8Array = ""): void {
    this.#child.stdin.end(input);
  }

  /** The first line, past or future, that matches. */
  waitForLine(matches: (line: string) => boolean, deadlineMs: number): Promise<string> {
    const past = this.lines.find(matches);
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        settle();
      };
      const watcher = (line: string) => {
        if (matches(line)) finish(() => resolve(line));
      };
      const fail = (why: string) =>
        finish(() =>
          reject(
            new WeftError("WEFT-E005", "the awaited line was not printed", {
              why: `${why}; last lines: ${this.lines.slice(-3).join(" | ") || "none"}`,
            }),
          ),
        );
      const timer = setTimeout(() => fail(`${deadlineMs / 1000} s passed`), deadlineMs);
      this.#watchers.add(watcher);
      this.exited.then(
        (code) => fail(`the command ended with ${code}`),
        (error: unknown) => finish(() => reject(error)),
      );
    });
  }

  kill(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      // it has ended already
      if (errnoOf(error) !== "ESRCH") throw error;
    }
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    this.kill(signal);
    return this.exited;
  }
}
