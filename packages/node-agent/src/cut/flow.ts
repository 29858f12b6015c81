// What the kernel knows of flows: sockets of this machine, and connection tracking. No behaviour but their keys.
import type { Protocol } from "@weft/shared/model/desired";

export interface End {
  readonly address: string;
  readonly port: number;
}

/** As a socket has them. */
export interface Ends {
  readonly protocol: Protocol;
  readonly local: End;
  readonly peer: End;
}

/** A socket with a peer. */
export interface ConnectedSocket extends Ends {
  /** undefined: its program has closed it, or has not accepted it yet. */
  readonly uid: number | undefined;
}

/** A socket without a peer: a TCP listener, or a UDP socket that sends to anybody. */
export interface LooseSocket {
  readonly protocol: Protocol;
  /** undefined: any address of this machine. */
  readonly address: string | undefined;
  readonly port: number;
  readonly uid: number | undefined;
}

export interface Tuple {
  readonly source: End;
  readonly destination: End;
}

/** A flow that connection tracking holds. */
export interface TrackedFlow {
  readonly protocol: Protocol;
  /** As its first packet was, before any translation. */
  readonly original: Tuple;
  /** As the answers come: its source is where the flow really goes, its destination what that end sees. */
  readonly reply: Tuple;
  readonly zone: number | undefined;
}

/** All that is known at one moment. */
export interface SeenFlows {
  readonly sockets: readonly ConnectedSocket[];
  readonly loose: readonly LooseSocket[];
  readonly tracked: readonly TrackedFlow[];
  /** Of this machine, loopback left out. */
  readonly addresses: ReadonlySet<string>;
  /** Ports this kernel gives to outgoing connections. */
  readonly ephemeral: { readonly from: number; readonly to: number };
  /** Sockets and flows that were printed in no known form. */
  readonly unread: number;
}

export function endText({ address, port }: End): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

export function endsKey({ protocol, local, peer }: Ends): string {
  return `${protocol} ${endText(local)} ${endText(peer)}`;
}
