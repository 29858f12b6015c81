// In: single fields of wire messages about policy. Out: checked values; a bad one is refused. Pure.
import { WeftError } from "../errors/weft-error.ts";
import type * as wire from "../gen/weft/v1/desired.ts";
import { normaliseAddress, parseCidr } from "../model/address.ts";
import type { Origin, PortRange, Protocol } from "../model/desired.ts";
import { oneOf, present } from "./number.ts";

const protocols: readonly Protocol[] = ["tcp", "udp"];

export function decodeOrigin(message: wire.Origin | undefined): Origin {
  const origin = present(message, "origin");
  return { policy: origin.policy, file: origin.file, line: origin.line };
}

export function decodePort(message: wire.PortRange): PortRange {
  const from = portNumber(message.from);
  const to = portNumber(message.to);
  if (from > to) throw new WeftError("WEFT-E003", `port range ${from}-${to} runs backwards`);
  return { protocol: oneOf(message.protocol, protocols, "protocol"), from, to };
}

export function portNumber(value: number): number {
  if (!Number.isInteger(value) || value < 1 || value > 65535)
    throw new WeftError("WEFT-E003", `${value} is no port`, { hint: "1 to 65535" });
  return value;
}

export function address(text: string, what: string): string {
  const found = normaliseAddress(text);
  if (found === undefined) throw new WeftError("WEFT-E003", `${what} "${text}" is no IP address`);
  return found;
}

export function block(text: string, what: string): string {
  if (parseCidr(text) === undefined)
    throw new WeftError("WEFT-E003", `${what} "${text}" is no address or CIDR`);
  return text;
}

/** Empty (any user) or a name useradd would take: it is looked up on the node, never put into a shell. */
export function userName(text: string): string {
  if (text === "" || /^[a-z_][a-z0-9_-]{0,31}$/.test(text)) return text;
  throw new WeftError("WEFT-E003", `"${text}" is no user name`);
}
