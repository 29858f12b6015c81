// In: nothing but time. Out: how many new connections passed that the confirmed policy forbids, counted by a table that
// whoever flushes the rules cannot take away.
//
// The table `inet weft-witness` belongs to a running nft (`flags owner`): no other process can flush, change or delete
// it, and it ends with the agent. It stands behind Weft's table, judges nothing, and records the first packets of what
// has passed: while Weft's rules are there, only what they allow; while they are gone, everything. It also keeps the
// kernel's connection tracking awake, which otherwise ends with the last rule that asks for it.
import { isWeftError } from "@weft/shared/errors/weft-error";
import { judgeHook } from "@weft/shared/kernel-verdict/judge";
import type { Packet } from "@weft/shared/kernel-verdict/packet";
import { parseRuleset, type Ruleset } from "@weft/shared/kernel-verdict/ruleset";
import type { ObservedFlow } from "@weft/shared/model/observation";
import { renderWitness, renderWitnessForgets, witnessTable } from "@weft/shared/render/nftables-witness";
import type { Feeder, Host } from "../host/host.ts";
import { parseRecords } from "../observe/parse-records.ts";

export interface Leaks {
  /** First packets of connections: a SYN each, and every datagram until it is answered. */
  readonly packets: number;
  /** Different pairs of source and port, or of user and destination. */
  readonly flows: number;
  /** Not all of them were looked at, or the record was full. */
  readonly isAtLeast: boolean;
}

const startAgainMs = 5_000;
/** Judging one takes some 50 us. */
const mostJudged = 5_000;
const judgedAtOnce = 100;

export class LeakWitness {
  readonly #host: Host;
  readonly #feeder: Feeder;
  #say: ((line: string) => void) | undefined;

  constructor(host: Host, feeder: Feeder) {
    this.#host = host;
    this.#feeder = feeder;
  }

  /** Until the signal. Where the kernel or nft knows no owner of a table, nothing is counted, and that is said. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#host;
    while (!signal.aborted) {
      try {
        const held = this.#feeder.feed("nft", ["-i"], signal);
        this.#say = held.say;
        for (const line of renderWitness()) held.say(line);
        await held.done;
      } catch (failure) {
        if (!isWeftError(failure)) throw failure;
      }
      this.#say = undefined;
      await clock.sleep(startAgainMs, signal).catch(() => {});
    }
  }

  /** What passed so far was judged by other rules than those that count from now on. */
  forget(): void {
    this.#say?.(renderWitnessForgets());
  }

  /** Since it was last asked, or a minute. undefined: nothing can be counted here. */
  async takeLeaks(): Promise<Leaks | undefined> {
    const { exec, clock } = this.#host;
    const list = (table: string) =>
      exec.run("nft", ["-j", "list", "table", ...table.split(" ")], { allow: [0, 1] });
    const recorded = await list(witnessTable);
    this.forget();
    if (recorded.code !== 0) return undefined;
    const { flows, fullSets } = parseRecords(recorded.stdout, clock.now());
    if (flows.length === 0) return { packets: 0, flows: 0, isAtLeast: fullSets.length > 0 };
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
    return { packets, flows: count, isAtLeast: judged.length < flows.length || fullSets.length > 0 };
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
