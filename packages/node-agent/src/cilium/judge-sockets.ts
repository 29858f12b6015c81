// In: the sockets of an endpoint's namespace, its policy map, and who is known by which address. Out: those whose first packet the
// map would refuse now. Pure. As with sockets of the machine it matters who opened a flow, not who sends.
import type { ConnectedSocket, Ends } from "../cut/flow.ts";
import { type Opener, openersOf } from "../cut/judge-openers.ts";
import type { ParsedSockets } from "../cut/parse-sockets.ts";
import type { IdentityOf } from "./ipcache.ts";
import { judgeMap, type PolicyEntry } from "./policy-map.ts";

export interface EndpointGround {
  readonly entries: readonly PolicyEntry[];
  readonly identityOf: IdentityOf;
  /** The endpoint's own. */
  readonly address: string;
  /** Ports that its namespace gives to outgoing connections. */
  readonly ephemeral: { readonly from: number; readonly to: number };
}

export interface JudgedSockets {
  readonly forbidden: readonly Ends[];
  /** Sockets of which it is not known what the map says: they are left. */
  readonly unknown: number;
}

type Word = "allow" | "deny" | "unknown";

export function judgeSockets(
  { sockets, loose, unread }: ParsedSockets,
  ground: EndpointGround,
): JudgedSockets {
  const forbidden: Ends[] = [];
  let unknown = unread;
  for (const socket of sockets) {
    const { protocol, local, peer } = socket;
    // what stays in the namespace is judged by nobody
    if (local.address !== ground.address || peer.address === ground.address) continue;
    const words = openersOf(socket, { loose, ephemeral: ground.ephemeral }, undefined).map((opener) =>
      wordOf(socket, opener, ground),
    );
    const [first = "unknown"] = words;
    const word = words.every((other) => other === first) ? first : "unknown";
    if (word === "deny") forbidden.push({ protocol, local, peer });
    else if (word === "unknown") unknown += 1;
  }
  return { forbidden, unknown };
}

function wordOf(
  { protocol, local, peer }: ConnectedSocket,
  opener: Opener,
  { entries, identityOf }: EndpointGround,
): Word {
  const identity = identityOf(peer.address);
  if (identity === undefined) return "unknown";
  const [direction, port] =
    opener === "here" ? (["egress", peer.port] as const) : (["ingress", local.port] as const);
  return judgeMap(entries, { direction, identity, protocol, port }).verdict;
}
