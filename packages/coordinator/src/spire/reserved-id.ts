// In: a SPIFFE ID. Out: why no workload may have it, or undefined. Pure.
// SPIRE guards only "/spire/": an entry "/spire-exchange/api1" makes whoever matches it the node api1.
import { parseSpiffeId } from "@weft/shared/spiffe/spiffe-id";

export function reservedBecause(spiffeId: string): string | undefined {
  const { path } = parseSpiffeId(spiffeId);
  if (path === "") return "it is the trust domain itself";
  if (path === "/weft" || path.startsWith("/weft/")) return "paths under /weft are Weft's own";
  if (path.startsWith("/spire")) return "paths beginning with /spire are SPIRE's own";
  return undefined;
}
