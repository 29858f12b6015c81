// In: the flows that kernels remember, and a change of the mesh. Out: each guard flow that was in use and would be
// refused: whatever the mesh files say, somebody came in this way. Pure.
import type { Identity } from "../explain/identify.ts";
import type { NodeObservations } from "../fleet/observations.ts";
import type { MeshChange, Risk } from "../guard/risk.ts";
import { type Flip, replay } from "./replay.ts";

const code = "FLIP-GUARD";
/** Who has to read more does not read them. */
const mostNamed = 20;

export function flipRisks(observed: readonly NodeObservations[], { before, after }: MeshChange): Risk[] {
  if (before === undefined) return [];
  const known = observed.filter(({ node }) => before.contents.has(node));
  const flips = replay(known, before.contents, after.contents).filter(({ isGuard }) => isGuard);
  const risks = flips.slice(0, mostNamed).map(riskOf);
  const more = flips.slice(mostNamed);
  const nodes = [...new Set(more.map(({ at }) => at))];
  const text = `and ${more.length} more guard flows that kernels remember would be REFUSED`;
  return [...risks, ...nodes.map((node): Risk => ({ code, node, text, place: undefined }))];
}

const nameOf = ({ name, address }: Identity): string => (name === "" ? address : name);

function riskOf({ source, destination, protocol, port, lastUsed, at, by, origin }: Flip): Risk {
  const used = `${lastUsed.toISOString().slice(0, 19)}Z`;
  const decides = by === "policy" && origin !== undefined ? `policy ${origin.policy}` : "default (no policy)";
  return {
    code,
    node: at,
    text:
      `${nameOf(source)} -> ${nameOf(destination)}:${port}/${protocol}, last used ${used}, ` +
      `would be REFUSED by ${decides}`,
    place: origin,
  };
}
