// What rules of every kind speak of: ports, what becomes of what is sent there, and who says so. No behaviour.

export type Protocol = "tcp" | "udp";
/** What may be asked of an address: a port, or a ping ("icmp": an echo request, which has no port). */
export type Traffic = Protocol | "icmp";
export type Action = "allow" | "deny";

export interface PortRange {
  readonly protocol: Protocol;
  readonly from: number;
  readonly to: number;
}

/** Where a rule comes from. `policy` is empty for a default. */
export interface Origin {
  readonly policy: string;
  readonly file: string;
  readonly line: number;
}
