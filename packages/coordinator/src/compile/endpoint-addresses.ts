// In: a node's range and the names of its services. Out: the address of each one's endpoint. Pure. An address is found from the
// service's name alone, so that it stays when others come and go: only where two names meet, the later one goes a step on.
import { createHash } from "node:crypto";
import { WeftError } from "@weft/shared/errors/weft-error";
import { formatCidr, parseCidr } from "@weft/shared/model/address";
import { byText } from "@weft/shared/plan/text-order";

/** @param range IPv4, checked to have room (mesh/rules/cilium-nodes.ts). The first and the last address of it are nobody's. */
export function endpointAddresses(range: string, services: readonly string[]): ReadonlyMap<string, string> {
  const cidr = parseCidr(range);
  const room = cidr === undefined ? 0 : 2 ** (32 - cidr.bits) - 2;
  const taken = new Map<number, string>();
  for (const service of [...services].sort(byText)) {
    if (taken.size >= room)
      throw new WeftError("WEFT-E003", `the range ${range} has no room for its services`);
    let slot = slotOf(service, room);
    while (taken.has(slot)) slot = (slot + 1) % room;
    taken.set(slot, service);
  }
  const first = (cidr?.network ?? 0n) + 1n;
  return new Map(
    [...taken].map(([slot, service]) => [
      service,
      formatCidr({ family: 4, network: first + BigInt(slot), bits: 32 }),
    ]),
  );
}

function slotOf(service: string, room: number): number {
  return createHash("sha256").update(service).digest().readUInt32BE() % room;
}
