// In: the ruleset as the kernel has it. Out: the base chains of others, each with what it does to Weft's flows, in a
// sentence. Pure. Found by their structure; names only tell whose they are.
import type { ForeignHook } from "../model/facts.ts";
import { asList, asObject, asText } from "./json.ts";
import type { NftChain, NftTable, Ruleset } from "./ruleset.ts";

/** Facts are bounded: a machine with more has the most telling ones listed. */
export const mostHooks = 48;
const ownTables: ReadonlySet<string> = new Set(["inet weft", "inet weft-witness"]);

/** By a table's or a chain's name. */
const makers: readonly { readonly maker: string; readonly table?: RegExp; readonly chain?: RegExp }[] = [
  { maker: "ufw", chain: /^ufw6?-/ },
  { maker: "firewalld", table: /^firewalld$/ },
  { maker: "Docker", table: /^docker-/, chain: /^DOCKER(-|$)/ },
  { maker: "libvirt", table: /^libvirt_network$/, chain: /^LIBVIRT_/ },
  { maker: "Kubernetes", table: /^kube-proxy$/, chain: /^(KUBE|CILIUM|cali)-/ },
  { maker: "fail2ban", table: /^f2b-/, chain: /^f2b-/ },
  { maker: "podman", table: /^netavark$/, chain: /^(NETAVARK|CNI)[-_]/ },
];
/** The base chains of iptables are named like this, in tables of these names. */
const iptablesTables = /^(filter|nat|mangle|raw|security)$/;
const iptablesChains = /^(INPUT|OUTPUT|FORWARD|PREROUTING|POSTROUTING)$/;

interface Found {
  refuses: boolean;
  translates: boolean;
  untracks: boolean;
  /** Statements that nft does not tell: matches and targets of iptables. */
  isVeiled: boolean;
  readonly chains: Set<string>;
}

const translating: ReadonlySet<string> = new Set(["dnat", "snat", "redirect", "masquerade"]);
const plainStatements: ReadonlySet<string> = new Set(["match", "counter", "comment", "log", "limit", "set"]);

function look(table: NftTable, chain: NftChain, found: Found): void {
  if (found.chains.has(chain.name)) return;
  found.chains.add(chain.name);
  const follow = (target: unknown) => {
    const next = table.chains.get(asText(target) ?? "");
    if (next !== undefined) look(table, next, found);
  };
  for (const { statements } of chain.rules)
    for (const statement of statements) {
      const [entry] = Object.entries(asObject(statement) ?? {});
      if (entry === undefined) found.isVeiled = true;
      else if (entry[0] === "drop" || entry[0] === "reject") found.refuses = true;
      else if (translating.has(entry[0])) found.translates = true;
      else if (entry[0] === "notrack") found.untracks = true;
      else if (entry[0] === "jump" || entry[0] === "goto") follow(asObject(entry[1])?.["target"]);
      else if (entry[0] === "vmap") lookInMap(table, entry[1], found, follow);
      else if (!plainStatements.has(entry[0]) && entry[0] === "xt") found.isVeiled = true;
    }
}

function lookInMap(table: NftTable, vmap: unknown, found: Found, follow: (target: unknown) => void): void {
  const data = asObject(vmap)?.["data"];
  const named = table.sets.get((asText(data) ?? "").replace(/^@/, ""));
  const verdicts =
    named?.elements.map(({ verdict }) => verdict) ??
    (asList(asObject(data)?.["set"]) ?? []).map((pair) => asList(pair)?.[1]);
  for (const verdict of verdicts) {
    const [entry] = Object.entries(asObject(verdict) ?? {});
    if (entry?.[0] === "drop") found.refuses = true;
    else if (entry?.[0] === "jump" || entry?.[0] === "goto") follow(asObject(entry[1])?.["target"]);
  }
}

function makerOf(table: NftTable, chain: NftChain, reached: ReadonlySet<string>): string {
  const names = makers
    .filter(
      ({ table: ofTable, chain: ofChain }) =>
        ofTable?.test(table.name) === true ||
        (ofChain !== undefined && [...reached].some((name) => ofChain.test(name))),
    )
    .map(({ maker }) => maker);
  const isIptables =
    /^ip6?$/.test(table.family) && iptablesTables.test(table.name) && iptablesChains.test(chain.name);
  if (names.length > 0) return `${names.join(" and ")}${isIptables ? ", by iptables-nft" : ""}`;
  return isIptables ? "iptables-nft" : "";
}

const judged: ReadonlySet<string> = new Set(["input", "output", "forward"]);
/** Weft's chains are at 0; what comes by another hook comes before them, or after. */
const before: ReadonlySet<string> = new Set(["ingress", "prerouting"]);

function effectOf(
  type: string,
  base: { hook: string; priority: number; policy: string },
  found: Found,
): string {
  const { hook, priority, policy } = base;
  const veil = found.isVeiled ? " Some of its rules are iptables' own, which nft cannot tell." : "";
  if (type === "nat") {
    const says =
      hook === "postrouting"
        ? "It may rewrite the source of what leaves, after Weft has judged it: the receiver judges this machine's address."
        : hook === "prerouting"
          ? "It may send what arrives elsewhere before Weft sees it: Weft judges such a port by the port that was asked for."
          : "It may send local connections elsewhere before Weft sees them: Weft judges where they go then.";
    return says + veil;
  }
  const place = before.has(hook)
    ? "comes before Weft"
    : !judged.has(hook)
      ? "comes after Weft"
      : priority < 0
        ? "judges before Weft"
        : priority > 0
          ? "judges after Weft"
          : "judges beside Weft";
  const final = "a drop anywhere is final";
  const says =
    policy === "drop"
      ? `It ${place} and drops what none of its rules accepts, so it may refuse what Weft allows: ${final}.`
      : found.refuses
        ? `It ${place}, and some of its rules refuse: ${final}, whatever Weft allows.`
        : found.isVeiled
          ? `It ${place}, and may refuse: ${final}.`
          : `It ${place} and refuses nothing.`;
  const accept = judged.has(hook) ? " An accept there does not override Weft." : "";
  const untracked = found.untracks
    ? " It takes packets out of connection tracking: Weft sees each as new."
    : "";
  return says + accept + untracked + veil;
}

/** @param legacy tables of iptables-legacy, like "iptables-legacy filter": nft does not see them at all */
export function foreignHooks(ruleset: Ruleset, legacy: readonly string[]): ForeignHook[] {
  const hooks = ruleset
    .filter(
      ({ family, name }) => !ownTables.has(`${family} ${name}`) && family !== "arp" && family !== "bridge",
    )
    .flatMap((table) =>
      [...table.chains.values()].flatMap((chain): ForeignHook[] => {
        const { base } = chain;
        if (base === undefined) return [];
        const found: Found = {
          refuses: false,
          translates: false,
          untracks: false,
          isVeiled: false,
          chains: new Set(),
        };
        look(table, chain, found);
        // programs make these chains before they have anything to translate
        if (base.type === "nat" && !found.translates && !found.isVeiled) return [];
        return [
          {
            table: `${table.family} ${table.name}`.slice(0, 64),
            chain: chain.name.slice(0, 64),
            hook: base.hook,
            type: base.type,
            priority: base.priority,
            policy: base.policy,
            refuses: base.type !== "nat" && (base.policy === "drop" || found.refuses || found.isVeiled),
            maker: makerOf(table, chain, found.chains),
            effect: effectOf(base.type, base, found),
          },
        ];
      }),
    );
  const unseen = legacy.map(
    (name): ForeignHook => ({
      table: name.slice(0, 64),
      chain: "",
      hook: "",
      type: "",
      priority: 0,
      policy: "",
      refuses: true,
      maker: "iptables-legacy",
      effect:
        "Rules of the old iptables stand here, which nft does not show: they judge as well, and a drop anywhere is final.",
    }),
  );
  return [...unseen, ...hooks]
    .sort((a, b) => Number(b.refuses) - Number(a.refuses) || byPlace(a, b))
    .slice(0, mostHooks);
}

function byPlace(a: ForeignHook, b: ForeignHook): number {
  const [one, other] = [a, b].map(({ table, hook, chain }) => `${table} ${hook} ${chain}`);
  return (one ?? "") < (other ?? "") ? -1 : one === other ? 0 : 1;
}

/** "table inet filter, chain input (input, priority 0, policy drop; ufw)". */
export function hookPlace({ table, chain, hook, priority, policy, maker }: ForeignHook): string {
  if (hook === "") return table;
  const by = maker === "" ? "" : `; ${maker}`;
  return `table ${table}, chain ${chain} (${hook}, priority ${priority}, policy ${policy}${by})`;
}
