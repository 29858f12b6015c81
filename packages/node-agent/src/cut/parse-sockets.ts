// In: what `ss -Hntuae` printed. Out: the sockets that have a peer, and those that have none. Pure. A line in no known
// form is counted, never guessed at.
import { normaliseAddress } from "@weft/shared/model/address";
import type { Protocol } from "@weft/shared/model/desired";
import type { ConnectedSocket, End, LooseSocket } from "./flow.ts";

export interface ParsedSockets {
  readonly sockets: readonly ConnectedSocket[];
  readonly loose: readonly LooseSocket[];
  readonly unread: number;
}

/** Data can still flow. Of FIN-WAIT-2 only while a program holds it; TIME-WAIT has none and no socket either. */
const connectedStates: ReadonlySet<string> = new Set([
  "ESTAB",
  "SYN-SENT",
  "FIN-WAIT-1",
  "FIN-WAIT-2",
  "CLOSE-WAIT",
  "LAST-ACK",
  "CLOSING",
]);
const looseStates: ReadonlySet<string> = new Set(["LISTEN", "UNCONN"]);
/** A v4-mapped address is the IPv4 one: that is what its packets carry. */
const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** undefined: no known form. An address of undefined: any. */
function endOf(text: string): { readonly address: string | undefined; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)|(\*))(?:%[^\s:]+)?:(\d+|\*)$/.exec(text);
  if (match === null) return undefined;
  const [, six, four, any, portText] = match;
  const port = portText === "*" ? 0 : Number(portText);
  if (port > 65_535) return undefined;
  if (any !== undefined) return { address: undefined, port };
  const written = six ?? four ?? "";
  const address = normaliseAddress(mapped.exec(written)?.[1] ?? written);
  if (address === undefined) return undefined;
  return { address: address === "0.0.0.0" || address === "::" ? undefined : address, port };
}

/** undefined: nobody holds it. ss leaves uid 0 out. */
function uidOf(rest: string): { readonly uid: number | undefined } | undefined {
  const inode = /(?:^|\s)ino:(\d+)(?:\s|$)/.exec(rest)?.[1];
  if (inode === undefined) return undefined;
  return { uid: inode === "0" ? undefined : Number(/(?:^|\s)uid:(\d+)(?:\s|$)/.exec(rest)?.[1] ?? "0") };
}

export function parseSockets(printed: string): ParsedSockets {
  const sockets: ConnectedSocket[] = [];
  const loose: LooseSocket[] = [];
  let unread = 0;
  for (const line of printed.split("\n")) {
    if (line.trim() === "") continue;
    const [netid, state, , , localText, peerText, ...rest] = line.trim().split(/\s+/);
    if (netid !== "tcp" && netid !== "udp") continue;
    const protocol: Protocol = netid;
    const isConnected = connectedStates.has(state ?? "");
    if (!isConnected && !looseStates.has(state ?? "")) continue;
    const local = endOf(localText ?? "");
    const peer = endOf(peerText ?? "");
    const owner = uidOf(rest.join(" "));
    if (local === undefined || peer === undefined || owner === undefined) {
      unread += 1;
      continue;
    }
    if (!isConnected) {
      loose.push({ protocol, ...local, ...owner });
      continue;
    }
    const [here, there] = [boundEnd(local), boundEnd(peer)];
    if (here === undefined || there === undefined) unread += 1;
    else if (state !== "FIN-WAIT-2" || owner.uid !== undefined)
      sockets.push({ protocol, local: here, peer: there, ...owner });
  }
  return { sockets, loose, unread };
}

function boundEnd(end: { readonly address: string | undefined; readonly port: number }): End | undefined {
  return end.address === undefined || end.port === 0 ? undefined : { address: end.address, port: end.port };
}
