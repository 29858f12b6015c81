// In: ports that are needed, and the kernel's tables of sockets. Out: of each port whether it is free, or who is in the way.
// Pure.
import type { PortFact } from "@weft/shared/model/cilium";
import type { PortNeed } from "../decide/cilium-releases.ts";
import { type ListeningSocket, parseListeners } from "../observe/parse-sockets.ts";

export interface SocketTables {
  readonly v4: string;
  readonly v6: string;
}

const wildcards: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "0:0:0:0:0:0:0:1";
}

function isInTheWay({ address }: ListeningSocket, { bind }: PortNeed): boolean {
  if (bind === "every" || wildcards.has(address)) return true;
  return isLoopback(address) === (bind === "loopback");
}

export function portFacts(
  needs: readonly PortNeed[],
  tables: { readonly tcp: SocketTables; readonly udp: SocketTables },
): PortFact[] {
  return needs.map((need) => {
    const { port, protocol } = need;
    const holder = parseListeners(protocol, port, tables[protocol])
      .filter((socket) => isInTheWay(socket, need))
      .map(({ address, uid }) => `a process of uid ${uid} on ${address}`)
      .join(" and ");
    return { port, protocol, holder };
  });
}
