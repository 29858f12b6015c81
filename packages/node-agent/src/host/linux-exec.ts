// In: a program and its arguments. Out: what it said and its exit code. Never a shell. node:child_process instead of
// execa, which would cost the agent 9 MiB of its 90 (docs/decisions/0002).

import { spawn } from "node:child_process";
import { isNotFound } from "@weft/shared/errors/system";
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { briefly } from "./briefly.ts";
import type { Exec, ExecOptions, ExecResult } from "./host.ts";
import { lineSplitter } from "./line-splitter.ts";

const outputLimit = 16 * 1024 * 1024;
const defaultTimeoutMs = 10_000;
/** Whatever PATH the agent was started with, programs come from where the system keeps them. */
const environment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C.UTF-8",
  SYSTEMD_PAGER: "",
};

function cannotStart(program: string, cause: unknown): WeftError {
  return isNotFound(cause)
    ? new WeftError("WEFT-E007", `${program} is not installed`, {
        hint: `install the package with ${program}`,
        cause,
      })
    : new WeftError("WEFT-E004", `${program} cannot be started`, { why: messageOf(cause), cause });
}

export class LinuxExec implements Exec {
  run(program: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { input, timeoutMs = defaultTimeoutMs, signal, allow = [0], started } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const child = spawn(program, args, { env: environment, stdio: ["pipe", "pipe", "pipe"] });
      if (child.pid !== undefined) started?.(child.pid);
      const output = { stdout: [] as Buffer[], stderr: [] as Buffer[], bytes: 0 };
      let failure: unknown;
      const stop = (reason: unknown) => {
        failure ??= reason;
        child.kill("SIGKILL");
        // What the program started itself lives on and may hold the pipes: nobody waits for that.
        child.stdout.destroy();
        child.stderr.destroy();
      };
      const late = new WeftError("WEFT-E005", `${program} did not end within ${timeoutMs / 1000} s`);
      const timer = setTimeout(() => stop(late), timeoutMs);
      const onAbort = () => stop(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      const collect = (chunks: Buffer[]) => (chunk: Buffer) => {
        output.bytes += chunk.length;
        if (output.bytes > outputLimit)
          stop(new WeftError("WEFT-E004", `${program} printed more than 16 MiB`));
        else chunks.push(chunk);
      };
      child.stdout.on("data", collect(output.stdout));
      child.stderr.on("data", collect(output.stderr));
      // The program may end without reading its input; its exit code tells more than the broken pipe.
      child.stdin.on("error", () => {});
      child.stdin.end(input ?? "");
      const settle = (done: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        done();
      };
      child.once("error", (cause) => settle(() => reject(failure ?? cannotStart(program, cause))));
      child.once("close", (code, killedBy) =>
        settle(() => {
          const result: ExecResult = {
            code: code ?? 128,
            stdout: Buffer.concat(output.stdout).toString("utf8"),
            stderr: Buffer.concat(output.stderr).toString("utf8"),
          };
          if (failure !== undefined) reject(failure);
          else if (code !== null && allow.includes(code)) resolve(result);
          else
            reject(
              new WeftError("WEFT-E004", `${[program, ...args].join(" ").slice(0, 200)} failed`, {
                why: briefly(result.stderr || result.stdout) || `exit ${code ?? killedBy}`,
              }),
            );
        }),
      );
    });
  }

  lines(
    program: string,
    args: readonly string[],
    onLine: (line: string, length: number) => void,
    signal: AbortSignal,
  ): { readonly done: Promise<number>; readonly pid: number | undefined } {
    const child = spawn(program, args, { env: environment, stdio: ["ignore", "pipe", "ignore"], signal });
    const done = new Promise<number>((resolve, reject) => {
      child.stdout.on("data", lineSplitter(onLine));
      child.once("error", (cause) => (signal.aborted ? resolve(0) : reject(cannotStart(program, cause))));
      child.once("close", (code) => resolve(code ?? 0));
    });
    return { done, pid: child.pid };
  }
}
