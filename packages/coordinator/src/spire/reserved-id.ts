// In: a SPIFFE ID. Out: why no workload may have it, or undefined. Pure; never throws, as it also judges what others
// made. SPIRE guards only "/spire/": an entry "/spire-exchange/api1" makes whoever matches it the node api1.

export function reservedBecause(spiffeId: string): string | undefined {
  const match = /^spiffe:\/\/[^/]+(\/.*)?$/.exec(spiffeId);
  if (match === null) return "it is no SPIFFE ID";
  const path = match[1] ?? "";
  if (path === "" || path === "/") return "it is the trust domain itself";
  if (path === "/weft" || path.startsWith("/weft/")) return "paths under /weft are Weft's own";
  if (path.startsWith("/spire")) return "paths beginning with /spire are SPIRE's own";
  return undefined;
}
