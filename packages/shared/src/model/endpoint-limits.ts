// Where endpoints of Cilium may be, and ports they never have: said of the mesh file, and by each node again, to any
// coordinator. No behaviour.
import type { PortRange } from "./traffic.ts";

/** Of the range of a node and of that of all; what is wider takes addresses of others. */
export const widestRangeBits = 16;
/** Of the range of a node. */
export const narrowestRangeBits = 29;

/** SSH, the node's resolver, the coordinator: what comes for these is the machine's, never a service's in a namespace. */
export const portsOfMachines: readonly PortRange[] = [
  { protocol: "tcp", from: 22, to: 22 },
  { protocol: "tcp", from: 53, to: 53 },
  { protocol: "udp", from: 53, to: 53 },
  { protocol: "tcp", from: 7443, to: 7444 },
];
