// What is shown of flows, as the coordinator tells it. No behaviour.

export interface FlowEndView {
  readonly name: string;
  readonly kind: string;
  readonly node: string;
  readonly address: string;
  readonly spiffeId: string;
}

/** What refuses where a node is banned. */
export const banName = "a ban";

/** What refuses where an endpoint sends with another's address. */
export const forgedName = "its source address, which is not the endpoint's";

export interface FlowView {
  readonly kind: string;
  readonly source: FlowEndView;
  readonly destination: FlowEndView;
  readonly protocol: string;
  readonly port: number;
  readonly portName: string;
  readonly count: number;
  readonly lastSeen: Date;
  readonly witness: string;
  readonly node: string;
  readonly decidedBy: string;
  readonly file: string;
  readonly line: number;
  readonly wouldAllow: string;
}

export interface DeclaredView {
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly port: number;
  readonly portName: string;
  readonly policy: string;
  readonly action: string;
}

export interface ObservedView {
  readonly at: Date;
  readonly flows: readonly FlowView[];
  readonly declared: readonly DeclaredView[];
  /** What may be missing. */
  readonly unknown: readonly string[];
}

/** A remembered flow that a change would refuse or let pass. */
export interface FlipView {
  readonly becomes: string;
  readonly source: FlowEndView;
  readonly destination: FlowEndView;
  readonly protocol: string;
  readonly port: number;
  readonly portName: string;
  readonly lastUsed: Date;
  readonly witnesses: readonly string[];
  /** Told by one end only. */
  readonly claim: boolean;
  readonly decidedBy: string;
  readonly file: string;
  readonly line: number;
  /** Node whose kernel would decide. */
  readonly at: string;
  readonly guard: boolean;
}

interface UnknownView {
  readonly node: string;
  readonly text: string;
  /** Of these flows alone; empty: of all. */
  readonly source: string;
  /** Of what came before; undefined: at any time. */
  readonly since: Date | undefined;
}

export interface ReplayView {
  readonly flips: readonly FlipView[];
  readonly unknown: readonly UnknownView[];
  /** What is said of flows is true from then on; undefined: nothing is remembered. */
  readonly since: Date | undefined;
  /** Whose memory goes back no further; empty: all are as long as they can be. */
  readonly youngest: string;
}
