// In: addresses a node could ask for public names. Out: the ones that can safely be forwarded to. Pure.
import { cidrContains, normaliseAddress, parseCidr } from "../model/address.ts";

/** CoreDNS takes no more than this in one `forward`. */
const most = 15;
const neverUpstream = ["127.0.0.0/8", "0.0.0.0/8", "::1", "::"].map((text) => parseCidr(text));

/**
 * Literal addresses in the order given, each once. Loopback and the node's own addresses are left out: behind
 * them may stand a resolver that asks us, and that loop is found by nobody. So are link-local addresses with a
 * zone ("fe80::1%eth0"), which mean something else on another link.
 */
export function literalUpstreams(candidates: readonly string[], own: readonly string[]): string[] {
  const ours = new Set(own.map((address) => normaliseAddress(address)));
  const usable: string[] = [];
  for (const candidate of candidates) {
    const address = normaliseAddress(candidate);
    if (address === undefined || ours.has(address) || usable.includes(address)) continue;
    const cidr = parseCidr(address);
    if (cidr === undefined || neverUpstream.some((block) => block !== undefined && cidrContains(block, cidr)))
      continue;
    usable.push(address);
  }
  return usable.slice(0, most);
}
