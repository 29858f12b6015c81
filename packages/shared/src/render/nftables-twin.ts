// In: a rule for IPv4. Out: the same rule for both families, and for both transports. Pure.

/** The rule for IPv4 and its twin for IPv6. */
export function twin(rule: string): string[] {
  return [rule, rule.replaceAll(/\bip (saddr|daddr)\b/g, "ip6 $1").replaceAll(/@(\w+)4\b/g, "@$16")];
}

/** The rule for TCP over both families, and its twins for UDP. */
export function quadruplet(rule: string): string[] {
  return [rule, rule.replaceAll("tcp", "udp")].flatMap(twin);
}
