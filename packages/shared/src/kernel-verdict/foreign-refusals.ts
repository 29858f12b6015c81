// In: the ruleset as the kernel has it, and connections that must work. Out: those that rules of others refuse for
// certain. Pure. What cannot be told (matches of iptables, connection marks) is passed over: it is no proof.
import { judgeHook } from "./judge.ts";
import type { Packet } from "./packet.ts";
import type { Ruleset } from "./ruleset.ts";

export interface VitalFlow {
  /** Like "an administrator (192.0.2.1) to port 22/tcp". */
  readonly what: string;
  readonly packet: Packet;
}

export interface ForeignRefusal {
  readonly what: string;
  /** Like "table inet filter, chain input". */
  readonly by: string;
  readonly verdict: "drop" | "reject";
}

const own: ReadonlySet<string> = new Set(["inet weft", "inet weft-witness"]);

export function foreignRefusals(ruleset: Ruleset, flows: readonly VitalFlow[]): ForeignRefusal[] {
  const others = ruleset.filter(({ family, name }) => !own.has(`${family} ${name}`));
  if (others.length === 0) return [];
  return flows.flatMap(({ what, packet }): ForeignRefusal[] => {
    const [first] = judgeHook(others, "inet weft", packet).others;
    if (first?.verdict !== "drop" && first?.verdict !== "reject") return [];
    return [{ what, by: `table ${first.table}, chain ${first.chain}`, verdict: first.verdict }];
  });
}
