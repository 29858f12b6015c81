// In: a socket with a peer, the sockets without one in the same network, and what connection tracking knows of it. Out: who may have
// opened the flow. Pure. A socket whose port somebody listens on was opened by the peer; else connection tracking knows; else the
// port the kernel picked tells. Where none of them does, it is either.
import type { ConnectedSocket, LooseSocket } from "./flow.ts";

export type Opener = "here" | "there";

export interface OpenerGround {
  readonly loose: readonly LooseSocket[];
  /** Ports this network gives to outgoing connections. */
  readonly ephemeral: { readonly from: number; readonly to: number };
}

/** @param tracked by connection tracking; undefined: it does not know, or is not asked */
export function openersOf(
  { protocol, local, peer }: ConnectedSocket,
  { loose, ephemeral }: OpenerGround,
  tracked: Opener | undefined,
): readonly Opener[] {
  const isListening = loose.some(
    (other) =>
      other.protocol === protocol &&
      other.port === local.port &&
      (other.address === undefined || other.address === local.address),
  );
  if (isListening) return ["there"];
  if (tracked === "here") return ["here"];
  const isPicked = (port: number) => port >= ephemeral.from && port <= ephemeral.to;
  if (isPicked(local.port) && !isPicked(peer.port)) return ["here"];
  if (tracked === "there" && !isPicked(local.port)) return ["there"];
  return ["here", "there"];
}
