// What the kernel remembers: the sets it fills, and the chains that fill the memory of flows. Constant. Pure.
//
// Recording decides nothing: these chains only ever return, and a rule that updates a set has no verdict. The memory is
// parted by who can fill it: what nodes and services of the mesh ask of each other is bounded by the mesh, what comes
// from administrators to guard ports by their ranges. For all else each remote source, and each local uid, has a quota
// of new entries; who has used it up is written down, so that what may be missing has a name.
import { twin } from "./nftables-twin.ts";

interface RecordSet {
  readonly name: string;
  readonly spec: string;
}

const week = "7d";
/** What is kept for one remote source (of IPv6: one network of 64 bits), and for one local uid. */
export const quotas = { in: 512, out: 2048 } as const;
const network6 = "ip6 saddr & ffff:ffff:ffff:ffff::";

const lasting = (key: string, timeout: string, size: number, more = ""): string =>
  `${key}; flags dynamic,timeout; timeout ${timeout}; size ${size};${more}`;
const entries = 65_536;

function setsOf(family: 4 | 6): RecordSet[] {
  const ip = family === 4 ? "ip" : "ip6";
  const incoming = `typeof ${ip} saddr . meta l4proto . th dport`;
  const outgoing = `typeof ${ip} daddr . meta l4proto . th dport . meta skuid`;
  const forwarded = `typeof ${ip} saddr . ${ip} daddr . meta l4proto . th dport`;
  const address = `type ipv${family}_addr`;
  const counted = (name: string, key: string, timeout: string): RecordSet => ({
    name: `${name}${family}`,
    spec: lasting(key, timeout, entries, " counter;"),
  });
  const plain = (name: string, key: string, timeout: string, size: number): RecordSet => ({
    name: `${name}${family}`,
    spec: lasting(key, timeout, size),
  });
  return [
    counted("seen_in", incoming, week),
    counted("seen_out", outgoing, week),
    counted("seen_mesh_in", incoming, week),
    counted("seen_mesh_out", outgoing, week),
    counted("seen_guard_in", incoming, week),
    counted("denied_in", incoming, "1h"),
    counted("denied_out", outgoing, "1h"),
    counted("denied_forward", forwarded, "1h"),
    counted("audited_in", incoming, week),
    counted("audited_out", outgoing, week),
    counted("audited_forward", forwarded, week),
    // pings have no port: sets of their own, which only pings can fill
    counted("denied_ping", `typeof ${ip} saddr`, "1h"),
    counted("audited_ping", `typeof ${ip} saddr`, week),
    // how much of what each source tries on undeclared ports is written down when it is refused, or would be
    plain("strangers", address, "10m", entries),
    // the keys of seen_in and seen_out once more, to look up: looking up an element that counts would count it
    plain("known_in", incoming, week, entries),
    plain("known_out", outgoing, week, entries),
    // larger than what they are a quota of: never the first to be full
    plain("quota_in", address, week, 2 * entries),
    plain("spent_in", address, week, 1024),
    plain("enrolling", address, "1m", entries),
  ];
}

/** Sets the kernel fills: they survive every change. */
export const recordSets: readonly RecordSet[] = [
  ...setsOf(4),
  ...setsOf(6),
  { name: "quota_out", spec: lasting("typeof meta skuid", week, 2 * entries) },
  { name: "spent_out", spec: lasting("typeof meta skuid", week, 1024) },
];

interface Chain {
  readonly name: string;
  readonly rules: readonly string[];
}

const incoming = "ip saddr . meta l4proto . th dport";
/** As it was asked for, before DNAT. nft wants the protocol in the same rule. */
const published = "ip saddr . meta l4proto . ct original proto-dst";
const outgoing = "ip daddr . meta l4proto . th dport . meta skuid";
const ported = "meta l4proto { tcp, udp } ";
const asked = "ct original ip daddr . meta l4proto . ct original proto-dst";
const limit = (most: number): string => `limit rate ${most}/week burst ${most} packets`;

/** Arrivals with so written a key: what nodes ask of declared ports, and the rest by the quota of its source. */
function arrivals(suffix: "in" | "published", key: string, dport: (protocol: string) => string): Chain[] {
  const before = suffix === "in" ? "" : ported;
  const known = twin(`${before}${key} @known_in4 goto keep_${suffix}`);
  const keep = (set: string) => twin(`${before}update @${set}_in4 { ${key} }`);
  return [
    {
      name: `record_${suffix}`,
      rules: [
        ...["tcp", "udp"].flatMap((protocol) =>
          twin(`${dport(protocol)} @${protocol}_ports ip saddr @nodes4 goto record_mesh_${suffix}`),
        ),
        ...known,
        `${before}update @quota_in4 { ip saddr ${limit(quotas.in)} } update @known_in4 { ${key} }`,
        `${before}update @quota_in6 { ${network6} ${limit(quotas.in)} } update @known_in6 { ${twin(key)[1]} }`,
        ...known,
        "update @spent_in4 { ip saddr }",
        `update @spent_in6 { ${network6} }`,
      ],
    },
    { name: `keep_${suffix}`, rules: [...keep("known"), ...keep("seen")] },
    { name: `record_mesh_${suffix}`, rules: keep("seen_mesh") },
  ];
}

/** Entered with the first packet of a connection, over TCP or UDP. */
export const recordChains: readonly Chain[] = [
  {
    name: "record_arrival",
    rules: [
      ...twin("meta l4proto . th dport @guard_ports ip saddr @admin_host4 goto record_guard"),
      ...twin("meta l4proto . th dport @guard_ports ip saddr @admin4 goto record_guard"),
      "goto record_in",
    ],
  },
  ...arrivals("in", incoming, (protocol) => `${protocol} dport`),
  ...arrivals("published", published, (protocol) => `meta l4proto ${protocol} ct original proto-dst`),
  {
    name: "record_out",
    rules: [
      // what DNAT has rewritten here already is remembered as it was asked for
      ...twin(`ct status dnat ${ported}${asked} @mesh4 goto record_rewritten`),
      ...twin("ip daddr . meta l4proto . th dport @mesh4 goto record_mesh_out"),
      ...twin(`${outgoing} @known_out4 goto keep_out`),
      // the family first: a packet of the other one is not to use up the quota here, too
      ...["ipv4", "ipv6"].map((family, index) => {
        const key = twin(`update @known_out4 { ${outgoing} }`)[index];
        return `meta nfproto ${family} update @quota_out { meta skuid ${limit(quotas.out)} } ${key}`;
      }),
      ...twin(`${outgoing} @known_out4 goto keep_out`),
      "update @spent_out { meta skuid }",
    ],
  },
  {
    name: "keep_out",
    rules: [...twin(`update @known_out4 { ${outgoing} }`), ...twin(`update @seen_out4 { ${outgoing} }`)],
  },
  { name: "record_guard", rules: twin(`update @seen_guard_in4 { ${incoming} }`) },
  {
    name: "record_rewritten",
    rules: twin(`${ported}update @seen_mesh_out4 { ${asked} . meta skuid }`),
  },
  { name: "record_mesh_out", rules: twin(`update @seen_mesh_out4 { ${outgoing} }`) },
];
