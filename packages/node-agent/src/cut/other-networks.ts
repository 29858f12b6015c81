// In: ends of flows that pass through this machine. Out: their sockets ended, in whichever other network namespace of
// this machine they are (containers). Only namespaces that have one of the addresses are entered.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Exec, Files } from "../host/host.ts";
import type { Ends } from "./flow.ts";
import { parseAddresses } from "./parse-addresses.ts";
import { endSockets } from "./socket-ender.ts";

/** The other networks of a machine, as they were when they were found. */
export interface FoundNetworks {
  /** Why not everything could be tried; undefined: it was. */
  end(sockets: readonly Ends[]): Promise<string | undefined>;
}

export interface OtherNetworks {
  find(): Promise<FoundNetworks>;
}

const mostNetworks = 512;
const atOnce = 6;

export class NamespaceNetworks implements OtherNetworks {
  readonly #exec: Pick<Exec, "run">;
  readonly #files: Files;

  /** @param exec with the power to enter other namespaces */
  constructor(exec: Pick<Exec, "run">, files: Files) {
    this.#exec = exec;
    this.#files = files;
  }

  async find(): Promise<FoundNetworks> {
    try {
      const { stdout } = await this.#exec.run("lsns", ["-t", "net", "-n", "-r", "-o", "PID"]);
      const processes = parseProcesses(stdout);
      return { end: (sockets) => this.#end(processes, sockets) };
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      const why = `other network namespaces cannot be listed: ${failure.why ?? failure.message}`;
      return { end: async (sockets) => (sockets.length === 0 ? undefined : why) };
    }
  }

  async #end(processes: readonly number[], sockets: readonly Ends[]): Promise<string | undefined> {
    if (sockets.length === 0) return undefined;
    const waiting = processes.slice(0, mostNetworks);
    const reasons: string[] = [];
    if (processes.length > mostNetworks) reasons.push(`there are more than ${mostNetworks} of them`);
    const work = async () => {
      for (let pid = waiting.shift(); pid !== undefined; pid = waiting.shift()) {
        const reason = await this.#endIn(pid, sockets);
        if (reason !== undefined) reasons.push(reason);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return reasons.length === 0 ? undefined : `other network namespaces cannot be entered: ${reasons[0]}`;
  }

  async #endIn(pid: number, sockets: readonly Ends[]): Promise<string | undefined> {
    const there = await this.#addresses(pid);
    const here = sockets.filter(({ local }) => there === undefined || there.has(local.address));
    if (here.length === 0) return undefined;
    const prefix = [`--net=/proc/${pid}/ns/net`, "--"];
    const run: Exec["run"] = (program, args, options) =>
      this.#exec.run("nsenter", [...prefix, program, ...args], options);
    try {
      await endSockets(run, here);
      return undefined;
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      const why = failure.why ?? failure.message;
      // it ended in between, and its sockets with it
      return /No such file or directory|No such process/.test(why) ? undefined : why;
    }
  }

  /** Of that process's network; undefined: cannot be told. */
  async #addresses(pid: number): Promise<ReadonlySet<string> | undefined> {
    const read = (name: string) =>
      this.#files.readText(`/proc/${pid}/net/${name}`).catch((failure: unknown) => {
        if (!isWeftError(failure)) throw failure;
        return undefined;
      });
    const [four, six] = await Promise.all([read("fib_trie"), read("if_inet6")]);
    return four === undefined ? undefined : parseAddresses(four, six ?? "");
  }
}

/** One process of each network; the first process of the machine lives in its own. */
function parseProcesses(printed: string): number[] {
  return printed
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /^\d+$/.test(line) && line !== "1")
    .map(Number);
}
