// In: what a node was given, and what the mesh file compiles to now, when both have the same digest. Out: where the lines that
// its kernel names are now. Pure. A line put in above a policy moves it and changes no node: so kernels keep the numbers
// of the revision they carry.
import type { DesiredPolicy, Origin } from "@weft/shared/model/desired";

export function movedOrigins(given: DesiredPolicy, now: DesiredPolicy): (origin: Origin) => Origin {
  const moved = new Map<string, Origin>();
  const later = originsOf(now);
  for (const [index, origin] of originsOf(given).entries()) {
    const is = later[index];
    // alike but for the lines, they come in the same order
    if (is?.policy === origin.policy) moved.set(keyOf(origin), is);
  }
  return (origin) => moved.get(keyOf(origin)) ?? origin;
}

const keyOf = ({ policy, file, line }: Origin): string => `${policy} ${file}:${line}`;

function originsOf({ ingress, egress, forward, ping, baseline }: DesiredPolicy): Origin[] {
  return [
    ...[...ingress, ...egress, ...forward, ...(ping ?? [])].map(({ origin }) => origin),
    ...(baseline === undefined ? [] : [baseline.origin, ...baseline.allow.map(({ origin }) => origin)]),
  ];
}
