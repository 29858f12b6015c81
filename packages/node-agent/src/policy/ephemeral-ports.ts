// In: the ports of this node's services and the kernel's own choice for outgoing connections. Out: a condition for each
// that lies in it: an outgoing connection could take the port first, or answer to it be judged as the service's.
import type { ConditionCode } from "@weft/shared/model/condition";
import type { Endpoint } from "@weft/shared/model/desired";
import type { Files } from "../host/host.ts";

export interface EphemeralPorts {
  readonly from: number;
  readonly to: number;
  readonly reserved: readonly { readonly from: number; readonly to: number }[];
}

/** ip_local_port_range ("32768 60999") and ip_local_reserved_ports ("8080,9000-9100"). */
export function parseEphemeralPorts(range: string, reserved: string): EphemeralPorts {
  const [from = 0, to = 0] = range.trim().split(/\s+/).map(Number);
  const ranges = reserved
    .trim()
    .split(",")
    .filter((part) => part !== "")
    .map((part) => {
      const [first = 0, last = first] = part.split("-").map(Number);
      return { from: first, to: last };
    });
  return { from, to, reserved: ranges };
}

export function portConditions(
  services: readonly Endpoint[],
  kernel: EphemeralPorts,
): { code: ConditionCode; detail: string }[] {
  return services
    .filter(({ port }) => {
      const overlaps = port.from <= kernel.to && port.to >= kernel.from;
      const kept = kernel.reserved.some(({ from, to }) => from <= port.from && to >= port.to);
      return overlaps && !kept;
    })
    .map(({ service, port }) => ({
      code: "PORT_REFUSED",
      detail: `${service} listens on ${port.from}${port.to === port.from ? "" : `-${port.to}`}/${port.protocol}, and the kernel takes ${kernel.from}-${kernel.to} for outgoing connections`,
    }));
}

/** Of this machine. undefined: its kernel does not say. */
export async function portFindings(
  files: Pick<Files, "readText">,
  services: readonly Endpoint[],
): Promise<{ code: ConditionCode; detail: string }[] | undefined> {
  const range = await files.readText("/proc/sys/net/ipv4/ip_local_port_range");
  const reserved = await files.readText("/proc/sys/net/ipv4/ip_local_reserved_ports");
  if (range === undefined || reserved === undefined) return undefined;
  return portConditions(services, parseEphemeralPorts(range, reserved));
}
