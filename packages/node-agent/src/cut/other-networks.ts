// In: ends of flows that pass through this machine. Out: their sockets ended, in whichever other network namespace of
// this machine they are (containers). Only namespaces that have one of the addresses are entered.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Exec, Files } from "../host/host.ts";
import type { Ends } from "./flow.ts";
import { endSockets } from "./socket-ender.ts";

export interface OtherNetworks {
  /** Why not everything could be tried; undefined: it was. */
  end(sockets: readonly Ends[]): Promise<string | undefined>;
}

const mostNetworks = 512;
const atOnce = 6;

export class NamespaceNetworks implements OtherNetworks {
  readonly #exec: Exec;
  readonly #files: Files;

  /** @param exec with the power to enter other namespaces */
  constructor(exec: Exec, files: Files) {
    this.#exec = exec;
    this.#files = files;
  }

  async end(sockets: readonly Ends[]): Promise<string | undefined> {
    if (sockets.length === 0) return undefined;
    let processes: readonly number[];
    try {
      const { stdout } = await this.#exec.run("lsns", ["-t", "net", "-n", "-r", "-o", "PID"]);
      processes = parseProcesses(stdout);
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      return `other network namespaces cannot be listed: ${failure.why ?? failure.message}`;
    }
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
    const here = sockets.filter(({ local }) => there === undefined || there(local.address));
    if (here.length === 0) return undefined;
    const prefix = [`--net=/proc/${pid}/ns/net`, "--"];
    try {
      await endSockets(
        (program, args, options) => this.#exec.run("nsenter", [...prefix, program, ...args], options),
        here,
      );
      return undefined;
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      const why = failure.why ?? failure.message;
      // it ended in between, and its sockets with it
      return /No such file or directory|No such process/.test(why) ? undefined : why;
    }
  }

  /** Whether an address is of that process's network; undefined: cannot be told. */
  async #addresses(pid: number): Promise<((address: string) => boolean) | undefined> {
    const [four, six] = await Promise.all(
      ["fib_trie", "if_inet6"].map((name) =>
        this.#files.readText(`/proc/${pid}/net/${name}`).catch(() => undefined),
      ),
    );
    if (four === undefined) return undefined;
    const sixes = new Set((six ?? "").split("\n").map((line) => line.slice(0, 32)));
    const fours = new Set([...four.matchAll(/\|-- ([0-9.]+)\n\s+\/32 host LOCAL/g)].map(([, text]) => text));
    return (address) => (address.includes(":") ? sixes.has(hexOf(address)) : fours.has(address));
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

/** As /proc/net/if_inet6 writes it. @param address in normal form */
function hexOf(address: string): string {
  const [head = "", tail] = address.split("::");
  const groups = (text: string | undefined) => (text === undefined || text === "" ? [] : text.split(":"));
  const [first, last] = [groups(head), groups(tail)];
  const zeros = Array<string>(8 - first.length - last.length).fill("0");
  return [...first, ...(tail === undefined ? [] : zeros), ...last]
    .map((group) => group.padStart(4, "0"))
    .join("");
}
