// In: a way to run the program of flows somewhere. Out: that process, which opens and accepts flows, and what happened to
// each.
import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { eventually } from "./eventually.ts";
import type { FlowEvent, FlowKind, FlowOrder } from "./flow-ends.ts";

export const flowProgram = resolve(import.meta.dirname, "flow-ends.ts");

export class FlowHost {
  readonly #child: ChildProcess;
  readonly #events: FlowEvent[] = [];

  constructor([file, ...args]: readonly [string, ...string[]]) {
    this.#child = spawn(file, args, {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error("no stdout");
    createInterface({ input: stdout }).on("line", (line) => this.#events.push(JSON.parse(line) as FlowEvent));
  }

  /** In a network namespace of this machine, as a uid. */
  static in(namespace: string, uid: number): FlowHost {
    return new FlowHost(["ip", "netns", "exec", namespace, process.execPath, flowProgram, `${uid}`]);
  }

  /** Of `ip netns exec`, which becomes the process. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  order(order: FlowOrder): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  happened(name: string, event: FlowEvent["event"]): FlowEvent | undefined {
    return this.#events.find((item) => item.name === name && item.event === event);
  }

  until(name: string, event: FlowEvent["event"], deadlineMs = 10_000): Promise<FlowEvent> {
    return eventually(`${name} ${event}`, () => this.happened(name, event), deadlineMs);
  }

  async listen(port: number): Promise<void> {
    this.order({ op: "listen", port });
    await this.until(`${port}`, "listening");
  }

  async open(name: string, kind: FlowKind, host: string, port: number): Promise<void> {
    this.order({ op: "open", name, kind, host, port });
    await this.until(name, "open");
  }

  stop(): Promise<void> {
    return new Promise((settle) => {
      if (this.#child.exitCode !== null) settle();
      else {
        this.#child.once("exit", () => settle());
        this.#child.kill("SIGKILL");
      }
    });
  }
}
