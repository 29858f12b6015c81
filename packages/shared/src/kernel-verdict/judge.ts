// In: the ruleset as the kernel has it, and the first packet of a connection at one hook. Out: what becomes of it, the
// rules that decided, and what other tables say at that hook. Pure. Where a rule cannot be understood both ways are
// followed: if they end alike that is the verdict, else it is unknown.
import { endpointLinkPrefix } from "../render/cilium-places.ts";
import { inSlot, slots } from "../render/nftables-slots.ts";
import type { Hit } from "./match.ts";
import { mayRefuse } from "./may-refuse.ts";
import type { Packet } from "./packet.ts";
import type { NftChain, NftTable, Ruleset } from "./ruleset.ts";
import { judgeRule } from "./statement.ts";
import { isUnknown } from "./truth.ts";

export type KernelVerdict = "accept" | "drop" | "reject" | "unknown";

export interface TraceStep {
  readonly chain: string;
  readonly handle: number;
  /** "goto judge_in", "accept", ... */
  readonly action: string;
  readonly hits: readonly Hit[];
}

export interface ChainVerdict {
  readonly verdict: KernelVerdict;
  /** The rules that led there, in order; of chains that came back without a verdict, nothing. */
  readonly path: readonly TraceStep[];
  /** Why it is unknown. */
  readonly why: string;
  readonly assumed: readonly string[];
}

interface Outcome extends Omit<ChainVerdict, "verdict"> {
  readonly verdict: KernelVerdict | "return";
}

const mostRules = 50_000;
const deepest = 32;

export function judgeChain(table: NftTable, chain: NftChain, packet: Packet): ChainVerdict {
  const policy = chain.base?.policy === "drop" ? "drop" : "accept";
  const outcome = new Walk(table, packet, policy).from(chain.name, 0, 0);
  return { ...outcome, verdict: outcome.verdict === "return" ? policy : outcome.verdict };
}

function unknown(why: string): Outcome {
  return { verdict: "unknown", path: [], why, assumed: [] };
}

class Walk {
  readonly #table: NftTable;
  readonly #packet: Packet;
  /** Of the base chain. */
  readonly #policy: "accept" | "drop";
  #left = mostRules;

  constructor(table: NftTable, packet: Packet, policy: "accept" | "drop") {
    this.#table = table;
    this.#policy = policy;
    this.#packet = packet;
  }

  from(name: string, start: number, depth: number): Outcome {
    const chain = this.#table.chains.get(name);
    if (chain === undefined) return unknown(`there is no chain ${name}`);
    if (depth > deepest) return unknown("chains lead in a circle");
    const assumed: string[] = [];
    for (let index = start; index < chain.rules.length; index++) {
      this.#left -= 1;
      if (this.#left < 0) return unknown("there are too many rules");
      const rule = chain.rules[index];
      if (rule === undefined) break;
      const judged = judgeRule(rule.statements, this.#packet, this.#table);
      const { truth, action, hits } = judged;
      if (truth === false || (!isUnknown(action) && action.kind === "none")) continue;
      assumed.push(...judged.assumed);
      const step = (text: string): TraceStep => ({ chain: name, handle: rule.handle, action: text, hits });
      const after = (): Outcome => this.from(name, index + 1, depth);
      const taken = (): Outcome => {
        if (isUnknown(action)) return unknown(action.unknown);
        if (action.kind === "return" || action.kind === "none") return returned;
        if (action.kind !== "jump" && action.kind !== "goto")
          return { verdict: action.kind, path: [step(action.kind)], why: "", assumed: [] };
        const inner = this.from(action.target, 0, depth + 1);
        if (inner.verdict !== "return")
          return { ...inner, path: [step(`${action.kind} ${action.target}`), ...inner.path] };
        // a goto does not come back here, but to whoever jumped last
        return action.kind === "goto" ? inner : after();
      };
      if (truth === true) {
        if (!isUnknown(action) && action.kind === "jump") {
          const inner = this.from(action.target, 0, depth + 1);
          if (inner.verdict === "return") continue;
          const path = [step(`jump ${action.target}`), ...inner.path];
          return { ...inner, path, assumed: [...assumed, ...inner.assumed] };
        }
        return withAssumed(taken(), assumed);
      }
      const one = this.#settled(taken(), depth);
      const other = this.#settled(after(), depth);
      if (one.verdict === other.verdict && one.verdict !== "unknown") return withAssumed(other, assumed);
      const why = one.verdict === "unknown" && one.why !== "" ? one.why : other.why;
      return withAssumed(unknown(`${name}: ${truth.unknown}${why === "" ? "" : `; ${why}`}`), assumed);
    }
    return { ...returned, assumed };
  }

  /** At the end of the base chain its policy speaks. */
  #settled(outcome: Outcome, depth: number): Outcome {
    return outcome.verdict === "return" && depth === 0 ? { ...outcome, verdict: this.#policy } : outcome;
  }
}

const returned: Outcome = { verdict: "return", path: [], why: "", assumed: [] };

function withAssumed(outcome: Outcome, assumed: readonly string[]): Outcome {
  return { ...outcome, assumed: [...new Set([...assumed, ...outcome.assumed])] };
}

export interface BaseVerdict extends ChainVerdict {
  /** As "inet weft". */
  readonly table: string;
  readonly chain: string;
}

export interface HookVerdict {
  /** Of all tables together: whoever refuses, refuses. */
  readonly verdict: KernelVerdict;
  /** Of the table asked for; undefined: it has no chain at this hook. */
  readonly own: BaseVerdict | undefined;
  /** Other tables at this hook that do more than let it pass, first those that refuse. */
  readonly others: readonly BaseVerdict[];
}

/** Which hooks a packet passes on its way, with the one asked about. */
const passes = {
  input: ["prerouting", "input"],
  output: ["output", "postrouting"],
  forward: ["prerouting", "forward", "postrouting"],
} as const;

const refuses = (verdict: KernelVerdict): boolean => verdict === "drop" || verdict === "reject";

/**
 * What comes from an endpoint of this machine comes by the endpoint's link: there its address leads, and Cilium lets nobody
 * else have it.
 */
function withLink(ruleset: Ruleset, ownTable: string, packet: Packet): Packet {
  const table = ruleset.find(({ family, name }) => `${family} ${name}` === ownTable);
  const sets = slots.map((slot) => table?.sets.get(inSlot(slot, "endpoints4")));
  const isEndpoint = sets.some((set) => set?.elements.some(({ key }) => key === packet.source));
  return isEndpoint ? { ...packet, linkPrefix: endpointLinkPrefix } : packet;
}

export function judgeHook(ruleset: Ruleset, ownTable: string, asked: Packet): HookVerdict {
  const packet = withLink(ruleset, ownTable, asked);
  const family = packet.destination.includes(":") ? "ip6" : "ip";
  const hooks: readonly string[] = passes[packet.hook];
  const bases = ruleset
    .filter((table) => table.family === "inet" || table.family === family)
    .flatMap((table) => [...table.chains.values()].map((chain) => ({ table, chain })))
    .filter(({ chain: { base } }) => {
      if (base === undefined || !hooks.includes(base.hook)) return false;
      if (base.type !== "nat") return true;
      // masquerading comes after every verdict; what was sent here is translated when it leaves or not at all, and a
      // DNAT that was made needs no second look
      const isTranslated = packet.local || packet.publishedPort !== undefined;
      return base.hook !== "postrouting" && !(base.hook === "prerouting" && isTranslated);
    })
    .sort((a, b) => (a.chain.base?.priority ?? 0) - (b.chain.base?.priority ?? 0));
  const verdicts = bases.map(({ table, chain }) => {
    const name = `${table.family} ${table.name}`;
    const judged = judgeChain(table, chain, packet);
    const isHarmless = judged.verdict === "unknown" && name !== ownTable && !mayRefuse(table, chain);
    return {
      table: name,
      chain: chain.name,
      ...judged,
      ...(isHarmless ? { verdict: "accept" as const } : {}),
    };
  });
  const own = verdicts.filter(({ table }) => table === ownTable);
  const ownVerdict =
    own.find(({ verdict }) => refuses(verdict)) ?? own.find(({ verdict }) => verdict === "unknown") ?? own[0];
  const others = verdicts.filter(({ table, verdict }) => table !== ownTable && verdict !== "accept");
  const refusing = others.filter(({ verdict }) => refuses(verdict));
  const doubtful = others.filter(({ verdict }) => verdict === "unknown");
  const verdict =
    ownVerdict !== undefined && refuses(ownVerdict.verdict)
      ? ownVerdict.verdict
      : (refusing[0]?.verdict ??
        (ownVerdict?.verdict === "unknown" || doubtful.length > 0 ? "unknown" : "accept"));
  return { verdict, own: ownVerdict, others: [...refusing, ...doubtful] };
}
