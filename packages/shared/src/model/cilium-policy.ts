// What one service's endpoint may send and receive, in the terms Cilium has, before it is text. No behaviour.
import type { Action, Origin, PortRange } from "./traffic.ts";

export type CiliumPeer =
  /** Every endpoint of a service: they share one identity. */
  | { readonly kind: "service"; readonly service: string; readonly spiffeId: string }
  /** A machine by its address: any process of it that has no endpoint of its own. */
  | { readonly kind: "node"; readonly node: string; readonly address: string }
  /** The machine the endpoint is on. */
  | { readonly kind: "host" }
  | { readonly kind: "range"; readonly cidr: string; readonly except: readonly string[] };

export interface CiliumRule {
  readonly direction: "ingress" | "egress";
  readonly action: Action;
  readonly peer: CiliumPeer;
  /** undefined: everything, ping included. */
  readonly ports: readonly PortRange[] | undefined;
  /** `policy` is empty for what no policy says. */
  readonly origin: Origin;
  /** What is said of it when no policy says it. */
  readonly because: string;
}

export interface CiliumEndpoint {
  readonly mesh: string;
  readonly node: string;
  readonly service: string;
  readonly spiffeId: string;
  readonly rules: readonly CiliumRule[];
}

/** A file of the directory that an agent reads its policies from. */
export interface CiliumPolicyFile {
  readonly name: string;
  readonly text: string;
}
