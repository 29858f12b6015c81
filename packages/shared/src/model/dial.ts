// One real TCP connection that a node is asked to make, and what became of it (wire: weft/v1/agent.proto). No behaviour.

export interface DialQuestion {
  readonly id: number;
  /** "root", or the user of a service of the node that is asked. */
  readonly user: string;
  readonly destination: string;
  readonly port: number;
}

/** refused: by a reset. unreachable: the kernel had another error. */
export type DialOutcome = "accepted" | "refused" | "unanswered" | "unreachable";

export interface DialResult {
  readonly outcome: DialOutcome;
  /** Of refused and unreachable, as ECONNREFUSED; else empty. */
  readonly errno: string;
}

export interface DialAnswer extends DialResult {
  readonly id: number;
  /** By the clock of the node that dialled. */
  readonly at: Date;
}

/** A connection that is not answered within it counts as unanswered. */
export const dialWithinMs = 2_000;
/** Around it: the user looked up, a unit started, a runtime in it. */
export const dialInAllMs = 10_000;
