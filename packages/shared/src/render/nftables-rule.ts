// Rules and small chains that stand in more than one place of nftables-chains.ts: for both families and protocols, for each
// hook. In: a rule as it is for IPv4 and TCP. Out: rules. Pure.
import { quadruplet, twin } from "./nftables-twin.ts";

export const syn = "tcp flags & (fin | syn | rst | ack)";
// A packet of a standing connection is dropped, not reset: while a policy is armed nothing may end by it, and what it
// forbids goes on if it undoes itself. Once it is confirmed, the agent ends both ends.
export const later = `${syn} != syn drop`;
/** A reset carries nothing and opens nothing: the other end is to hear that a flow is over, forbidden or not. */
export const whatEnds = "tcp flags rst accept";
export const reject = ["meta l4proto tcp reject with tcp reset", "reject with icmpx admin-prohibited"];
export const icmpErrors = "icmp type { destination-unreachable, time-exceeded, parameter-problem }";
/** Without neighbour discovery there is no IPv6 at all. */
export const icmpv6Needed =
  "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, " +
  "mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, nd-router-solicit, " +
  "nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }";
/** Far above what a network needs; beyond it they are let through only while nothing is closed to them. */
export const needed = "limit rate 1000/second burst 2000 packets accept";

/** What is done with a packet to a service port, given how its port is written (`tcp dport`, or before DNAT). */
export function judgeSource(
  dport: string,
  ends: { readonly hook: string; readonly accept: string },
): string[] {
  const { hook, accept } = ends;
  const key =
    hook === "in" ? "ip saddr . meta l4proto . th dport" : "ip saddr . ip daddr . meta l4proto . th dport";
  return [
    ...quadruplet(`${dport} . ip saddr @in_tcp_watch4 update @audited_${hook}4 { ${key} }`),
    ...quadruplet(`${dport} . ip saddr @in_tcp_deny4 goto refuse_${hook}`),
    ...quadruplet(`${dport} . ip saddr @in_tcp_allow4 ${accept}`),
    ...twin(`ip saddr @nodes4 goto default_${hook}`),
    ...quadruplet(`${dport} . ip saddr @in_tcp_cidr4 ${accept}`),
    `goto default_${hook}`,
  ];
}

export function ending(hook: string, key: string): Chain[] {
  // of what has no ports a key would be made of its first bytes
  const record = (set: string) => twin(`meta l4proto { tcp, udp } update @${set}_${hook}4 { ${key} }`);
  return [
    { name: `audit_${hook}`, rules: [...record("audited"), "accept"] },
    { name: `refuse_${hook}`, rules: [...record("denied"), later, ...reject] },
  ];
}

/** Nothing is sent back: not even that it is refused. */
export function ban(hook: string, key: string): Chain {
  return {
    name: `banned_${hook}`,
    rules: [...twin(`meta l4proto { tcp, udp } update @denied_${hook}4 { ${key} }`), "drop"],
  };
}

export interface Chain {
  readonly name: string;
  /** Only of base chains. */
  readonly hook?: "input" | "output" | "forward";
  readonly rules: readonly string[];
}
