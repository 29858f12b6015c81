// In: nothing but time. Out: how many new connections passed that the confirmed policy forbids, counted by a table of its
// own, behind Weft's, that judges nothing.
//
// It records the first packets of what has passed: while Weft's rules are there, only what they allow; while they are
// gone, everything. It also keeps the kernel's connection tracking awake, which ends with the last rule that asks for it.
// Who flushes the whole ruleset flushes it as well: then the kernel's count of accepted TCP connections gives a bound.
import { isWeftError } from "@weft/shared/errors/weft-error";
import { judgeHook } from "@weft/shared/kernel-verdict/judge";
import type { Packet } from "@weft/shared/kernel-verdict/packet";
import { parseRuleset, type Ruleset } from "@weft/shared/kernel-verdict/ruleset";
import type { ObservedFlow } from "@weft/shared/model/observation";
import { renderWitness, witnessTable } from "@weft/shared/render/nftables-witness";
import type { Host } from "../host/host.ts";
import { parseRecords } from "../observe/parse-records.ts";
import { loadScript } from "./kernel-table.ts";

export interface Leaks {
  readonly kind: "counted";
  /** First packets of connections: a SYN each, and every datagram until it is answered. */
  readonly packets: number;
  /** Different pairs of source and port, or of user and destination. */
  readonly flows: number;
  /** Not all of them were looked at, or the record was full. */
  readonly isAtLeast: boolean;
}

/** The record is gone, too. */
export interface LeakBound {
  readonly kind: "bound";
  /** TCP connections that this machine accepted, allowed ones among them. */
  readonly accepted: number;
  readonly withinMs: number;
}

const sampleMs = 2_000;
/** Judging one takes some 50 us. */
const mostJudged = 5_000;
const judgedAtOnce = 100;

interface Sample {
  readonly at: number;
  readonly accepted: number;
}

export class LeakWitness {
  readonly #host: Host;
  /** The last two: the younger one may be of the very moment. */
  #samples: readonly Sample[] = [];

  constructor(host: Host) {
    this.#host = host;
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.forget();
    while (!signal.aborted) {
      const sample = await this.#sample();
      if (sample !== undefined) this.#samples = [...this.#samples.slice(-1), sample];
      await this.#host.clock.sleep(sampleMs, signal).catch(() => {});
    }
  }

  async #sample(): Promise<Sample | undefined> {
    const { files, clock } = this.#host;
    const text = await files.readText("/proc/net/snmp").catch((): undefined => undefined);
    const [names, values] = (text ?? "").split("\n").filter((line) => line.startsWith("Tcp:"));
    const index = (names ?? "").split(" ").indexOf("PassiveOpens");
    const accepted = Number((values ?? "").split(" ")[index]);
    return Number.isInteger(accepted) ? { at: clock.now().getTime(), accepted } : undefined;
  }

  /** What passed so far was judged by other rules than those that count from now on. */
  async forget(): Promise<void> {
    try {
      await loadScript(this.#host.exec, renderWitness());
    } catch (failure) {
      // A kernel that takes no such table counts nothing, and that is said.
      if (!isWeftError(failure)) throw failure;
    }
  }

  /** Since it was last asked, or a minute. undefined: nothing can be counted here. */
  async takeLeaks(): Promise<Leaks | LeakBound | undefined> {
    try {
      return (await this.#counted()) ?? (await this.#bound());
    } finally {
      await this.forget();
    }
  }

  async #bound(): Promise<LeakBound | undefined> {
    const [before] = this.#samples;
    const now = await this.#sample();
    if (before === undefined || now === undefined) return undefined;
    return { kind: "bound", accepted: now.accepted - before.accepted, withinMs: now.at - before.at };
  }

  async #counted(): Promise<Leaks | undefined> {
    const { exec, clock } = this.#host;
    const list = (table: string) =>
      exec.run("nft", ["-j", "list", "table", ...table.split(" ")], { allow: [0, 1] });
    const recorded = await list(witnessTable);
    if (recorded.code !== 0) return undefined;
    const { flows, fullSets } = parseRecords(recorded.stdout, clock.now());
    if (flows.length === 0) return { kind: "counted", packets: 0, flows: 0, isAtLeast: fullSets.length > 0 };
    const rules = await list("inet weft");
    if (rules.code !== 0) return undefined;
    const ruleset = parseRuleset(rules.stdout);
    const judged = flows.slice(0, mostJudged);
    let [packets, count] = [0, 0];
    for (const [index, flow] of judged.entries()) {
      // the agent has other things to do meanwhile
      if (index % judgedAtOnce === judgedAtOnce - 1) await clock.sleep(1);
      if (!isForbidden(ruleset, flow)) continue;
      packets += flow.packets;
      count += 1;
    }
    const isAtLeast = judged.length < flows.length || fullSets.length > 0;
    return { kind: "counted", packets, flows: count, isAtLeast };
  }
}

const hooks = { in: "input", out: "output", forward: "forward" } as const;
/** Of this machine; no rule asks which of its addresses it was. */
const here = { v4: "192.0.2.1", v6: "2001:db8::1" };

function isForbidden(ruleset: Ruleset, flow: ObservedFlow): boolean {
  const isV6 = (flow.source ?? flow.destination ?? "").includes(":");
  const own = isV6 ? here.v6 : here.v4;
  const packet: Packet = {
    hook: hooks[flow.direction],
    source: flow.source ?? own,
    destination: flow.destination ?? own,
    protocol: flow.protocol,
    port: flow.port,
    uid: flow.uid,
    local: false,
    publishedPort: undefined,
  };
  const { verdict } = judgeHook(ruleset, "inet weft", packet);
  return verdict === "drop" || verdict === "reject";
}
