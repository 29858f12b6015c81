// In: streams of agents, messages for nodes. Out: each node's newest stream gets them, one in flight at a time.
// Invariants: at most one stream a node, the newest; a stream that is told to go is written to no more.
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { AgentMessage, CoordinatorMessage } from "@weft/shared/gen/weft/v1/agent";
import type { EnrolmentState } from "../store/records.ts";
import { Outbox, type SlotName } from "./outbox.ts";
import { refusalOf } from "./refusal.ts";

export type AgentStream = ServerDuplexStream<AgentMessage, CoordinatorMessage>;
export type DismissalReason = "removed" | "banned" | "suspended" | "replaced" | "left";

/** Why a node in this state has no business here; undefined for members. */
export const dismissals: Partial<Record<EnrolmentState, DismissalReason>> = {
  suspended: "suspended",
  left: "left",
  removed: "removed",
  banned: "banned",
};

export class Session {
  readonly node: string;
  readonly #stream: AgentStream;
  readonly #outbox = new Outbox<CoordinatorMessage>();
  #busy = false;
  #closing: Error | undefined;
  #closed = false;

  constructor(node: string, stream: AgentStream) {
    this.node = node;
    this.#stream = stream;
  }

  /** What is still to be written. */
  get waiting(): number {
    return this.#outbox.size;
  }

  send(slot: SlotName, message: NonNullable<CoordinatorMessage["message"]>): void {
    if (this.#closing !== undefined || this.#closed) return;
    this.#outbox.put(slot, { message });
    this.#pump();
  }

  #pump(): void {
    if (this.#busy || this.#closed) return;
    const next = this.#outbox.take();
    if (next === undefined) {
      if (this.#closing !== undefined) this.#finish(this.#closing);
      return;
    }
    this.#busy = true;
    this.#stream.write(next.message, () => {
      this.#busy = false;
      this.#pump();
    });
  }

  #finish(failure: Error): void {
    this.#closed = true;
    // grpc-js takes an emitted error as the status to end the call with.
    this.#stream.emit("error", failure);
  }

  dismiss(reason: DismissalReason, banEpoch: number, failure?: unknown): void {
    this.send("dismissal", { $case: "dismissal", value: { reason, banEpoch: BigInt(banEpoch) } });
    const what = reason === "replaced" ? "this stream" : `the node ${this.node}`;
    this.end(failure ?? new WeftError("WEFT-E204", `${what} is ${reason}`));
  }

  /** After what is waiting was written. A peer that reads nothing is cut by the keepalive. */
  end(failure: unknown): void {
    if (this.#closing !== undefined || this.#closed) return;
    this.#closing = refusalOf(failure);
    this.#pump();
  }

  /** The stream is gone. */
  gone(): void {
    this.#closed = true;
  }
}

export class Sessions {
  readonly #byNode = new Map<string, Session>();

  open(session: Session, banEpoch: number): void {
    this.#byNode.get(session.node)?.dismiss("replaced", banEpoch);
    this.#byNode.set(session.node, session);
  }

  /** False for a stream that had been replaced: the node is still connected, by the newer one. */
  close(session: Session): boolean {
    session.gone();
    if (this.#byNode.get(session.node) !== session) return false;
    this.#byNode.delete(session.node);
    return true;
  }

  of(node: string): Session | undefined {
    return this.#byNode.get(node);
  }

  all(): Session[] {
    return [...this.#byNode.values()];
  }
}
