// In: an address or a range. Out: why no machine can be reached there, if so. Pure.
import { cidrsOverlap, parseCidr } from "./address.ts";

const unusable: readonly (readonly [string, string])[] = [
  ["127.0.0.0/8", "a loopback address"],
  ["::1", "a loopback address"],
  ["0.0.0.0/8", "no address of a machine"],
  ["::", "no address of a machine"],
  ["169.254.0.0/16", "a link-local address"],
  ["fe80::/10", "a link-local address"],
  ["224.0.0.0/3", "a multicast or reserved address"],
  ["ff00::/8", "a multicast address"],
  ["::ffff:0.0.0.0/96", "an IPv4 address written as IPv6"],
];

/** @param address or a range: any of it */
export function unusableBecause(address: string): string | undefined {
  if (parseCidr(address) === undefined) return "no IP address";
  return unusable.find(([block]) => cidrsOverlap(block, address))?.[1];
}
