// In: the number of extra nodes. Out: the machines of a lab: names, addresses, users and kind of resolver.
import { WeftError } from "@weft/shared/errors/weft-error";

export interface MachineSpec {
  readonly name: string;
  /** The last part of its addresses, in decimal digits in both families. */
  readonly host: number;
  readonly users: readonly string[];
  readonly resolver: "plain" | "resolved";
}

export const network4 = "10.77.0";
export const network6 = "fd77::";
export const switchHost = 254;
export const upstreamName = "upstream";
export const upstreamHost = 53;

/** Extra nodes are .101 to .249. */
export const maxNodes = 149;

const fixedMachines: readonly MachineSpec[] = [
  { name: "hub", host: 10, users: [], resolver: "plain" },
  { name: "web1", host: 11, users: ["web", "mallory"], resolver: "plain" },
  { name: "api1", host: 12, users: ["api"], resolver: "resolved" },
  { name: "rogue", host: 66, users: [], resolver: "plain" },
];

export function labMachines(nodes: number): readonly MachineSpec[] {
  if (!Number.isInteger(nodes) || nodes < 0 || nodes > maxNodes)
    throw new WeftError("WEFT-E001", `${nodes} extra nodes are not possible`, {
      hint: `give a number from 0 to ${maxNodes}`,
    });
  const extra = Array.from(
    { length: nodes },
    (_, index): MachineSpec => ({
      name: `n${index + 1}`,
      host: 101 + index,
      users: [],
      resolver: "plain",
    }),
  );
  return [...fixedMachines, ...extra];
}

export function findMachine(name: string): MachineSpec {
  const found = labMachines(maxNodes).find((machine) => machine.name === name);
  if (found === undefined)
    throw new WeftError("WEFT-E001", `a lab has no machine '${name}'`, {
      hint: `the machines are ${fixedMachines.map((machine) => machine.name).join(", ")} and n1, n2, ...`,
    });
  return found;
}

export function address4(host: number): string {
  return `${network4}.${host}`;
}

export function address6(host: number): string {
  return `${network6}${host}`;
}

/** Fixed per machine: neighbours keep their ARP entries across a reboot that remakes the interface. */
export function macAddress(host: number): string {
  return `02:77:00:00:00:${host.toString(16).padStart(2, "0")}`;
}
