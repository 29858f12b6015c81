// What the kernel is asked about: the first packet of a connection, at one hook of one machine. No behaviour.
import type { Traffic } from "../model/desired.ts";

export type Hook = "input" | "output" | "forward";

export interface Packet {
  readonly hook: Hook;
  /** Both of one family. */
  readonly source: string;
  readonly destination: string;
  /** icmp: an echo request, of either family. */
  readonly protocol: Traffic;
  /** 0 for icmp. */
  readonly port: number;
  /** Of the socket it comes from, on this machine; undefined: no socket is known. */
  readonly uid: number | undefined;
  /** Both ends are this machine. */
  readonly local: boolean;
  /** The port before a DNAT of this machine, if there was one. */
  readonly publishedPort: number | undefined;
  /** How the name begins of the link it comes by; undefined: any but lo. */
  readonly linkPrefix?: string | undefined;
}
