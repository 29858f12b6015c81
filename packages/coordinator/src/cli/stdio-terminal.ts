// In: the standard streams and the environment. Out: a Terminal. Colours only on a terminal and without NO_COLOR.
import type { ReadStream, WriteStream } from "node:tty";
import { createLogUpdate } from "log-update";
import { makePaint } from "../view/paint.ts";
import type { Terminal } from "./terminal.ts";

export interface StdioOptions {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const widestPlain = 200;

/** Reads one line without showing it. Ctrl-C ends the program as elsewhere. */
function readHidden(stdin: ReadStream, stderr: WriteStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed = "";
    const finish = (settle: () => void) => {
      stdin.off("data", onData);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write("\n");
      settle();
    };
    const onData = (chunk: Buffer) => {
      for (const letter of chunk.toString("utf8")) {
        if (letter === "\r" || letter === "\n") return finish(() => resolve(typed));
        if (letter === "\u0003" || letter === "\u0004")
          return finish(() => reject(new DOMException("interrupted", "AbortError")));
        if (letter === "\u007f" || letter === "\b") typed = [...typed].slice(0, -1).join("");
        else if (letter >= " ") typed += letter;
      }
    };
    stdin.setRawMode(true);
    stdin.on("data", onData);
    stdin.resume();
  });
}

export function stdioTerminal({ stdin, stdout, stderr, env }: StdioOptions): Terminal {
  const live = stdout.isTTY === true && env["TERM"] !== "dumb";
  const noColour = env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "";
  const update = live ? createLogUpdate(stdout) : undefined;
  return {
    out: (line) => void stdout.write(`${line}\n`),
    err: (line) => void stderr.write(`${line}\n`),
    width: () => (stdout.isTTY === true ? stdout.columns || widestPlain : undefined),
    paint: makePaint(live && !noColour),
    live,
    repaint: (lines) => update?.(lines.join("\n")),
    endRepaint: () => update?.done(),
    async askSecret(prompt) {
      if (stdin.isTTY !== true) return undefined;
      stderr.write(prompt);
      return readHidden(stdin, stderr);
    },
  };
}
