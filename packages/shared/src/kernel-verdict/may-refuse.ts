// In: a base chain of somebody else, some rule of which cannot be judged. Out: whether it could refuse anything at all. Pure.
// A chain that only marks and accepts need not be understood.
import { asObject, asText } from "./json.ts";
import type { NftChain, NftTable } from "./ruleset.ts";

/** Whatever they come to, the packet is there afterwards, and goes where it went. */
const harmless: ReadonlySet<string> = new Set([
  ...["match", "set", "limit", "counter", "log", "comment", "mangle", "notrack"],
  ...["accept", "return", "continue", "jump", "goto"],
]);

/**
 * nft does not say what an extension of iptables ("xt") is. In the chains that an agent of Cilium makes they are matches and
 * marks (1.18.10, pkg/datapath/iptables), and in its jumps to them they are comments.
 */
const feederPrefix = "CILIUM_";

export function mayRefuse(table: NftTable, base: NftChain): boolean {
  if (base.base?.policy === "drop") return true;
  const waiting = [base];
  const seen = new Set<string>();
  for (let chain = waiting.pop(); chain !== undefined; chain = waiting.pop()) {
    if (seen.has(chain.name)) continue;
    seen.add(chain.name);
    for (const { statements } of chain.rules) {
      const targets = statements.flatMap((statement) => targetOf(statement) ?? []);
      const isFeeder = [chain.name, ...targets].some((name) => name.startsWith(feederPrefix));
      for (const statement of statements) {
        const [name] = Object.keys(asObject(statement) ?? {});
        if (name === undefined || !(harmless.has(name) || (name === "xt" && isFeeder))) return true;
        if ((name === "jump" || name === "goto") && targetOf(statement) === undefined) return true;
      }
      for (const target of targets) {
        const next = table.chains.get(target);
        if (next === undefined) return true;
        waiting.push(next);
      }
    }
  }
  return false;
}

function targetOf(statement: unknown): string | undefined {
  const object = asObject(statement);
  const body = asObject(object?.["jump"] ?? object?.["goto"]);
  return body === undefined ? undefined : asText(body["target"]);
}
