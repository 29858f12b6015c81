// In: a script of node, a network namespace and a uid. Out: it running there, and the lines that it prints.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { eventually } from "./eventually.ts";

export class LineProcess {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) throw new Error("no stdout");
    createInterface({ input: child.stdout }).on("line", (line) => this.lines.push(line));
  }

  static in(namespace: string, uid: number, script: string): LineProcess {
    const become = `process.setgroups([]);process.setgid(${uid});process.setuid(${uid});${script}`;
    return new LineProcess(
      spawn("ip", ["netns", "exec", namespace, process.execPath, "-e", become], {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, NODE_OPTIONS: "" },
      }),
    );
  }

  until(line: string): Promise<true> {
    return eventually(line, () => this.lines.includes(line) || undefined, 10_000);
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }
}
