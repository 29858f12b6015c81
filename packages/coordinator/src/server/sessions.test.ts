import { EventEmitter } from "node:events";
import { describe, expect, it } from "@jest/globals";
import type { CoordinatorMessage } from "@weft/shared/gen/weft/v1/agent";
import { encodeDesired } from "@weft/shared/wire/desired-codec";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { type AgentStream, Session, Sessions } from "./sessions.ts";

/** A peer that reads when it is told to. */
class SlowStream extends EventEmitter {
  readonly written: CoordinatorMessage[] = [];
  readonly #pending: (() => void)[] = [];
  failure: { readonly details: string } | undefined;

  constructor() {
    super();
    this.on("error", (failure) => {
      this.failure = failure;
    });
  }

  write(message: CoordinatorMessage, done: () => void): boolean {
    this.written.push(message);
    this.#pending.push(done);
    return false;
  }

  read(): boolean {
    const done = this.#pending.shift();
    done?.();
    return done !== undefined;
  }

  readAll(): string[] {
    while (this.read());
    return this.written.map(({ message }) =>
      message?.$case === "desired" ? `desired ${message.value.generation}` : (message?.$case ?? ""),
    );
  }
}

const desired = (generation: number) => ({
  $case: "desired" as const,
  value: encodeDesired({ ...sealed(emptyContent("web1")), generation, revision: generation }),
});
const welcome = { $case: "welcome" as const, value: { serverTime: new Date(0), heartbeatSeconds: 5 } };
const open = (stream: SlowStream, node = "web1") => new Session(node, stream as unknown as AgentStream);

describe("a session", () => {
  it("holds one message in flight and the newest state behind it, however many there were", () => {
    const stream = new SlowStream();
    const session = open(stream);
    session.send("welcome", welcome);
    for (let generation = 1; generation <= 1000; generation++) session.send("desired", desired(generation));
    expect(stream.written).toHaveLength(1);
    expect(session.waiting).toBe(1);
    expect(stream.readAll()).toEqual(["welcome", "desired 1000"]);
  });

  it("says why it ends before it ends, and nothing after", () => {
    const stream = new SlowStream();
    const session = open(stream);
    session.send("desired", desired(1));
    session.send("desired", desired(2));
    session.dismiss("removed", 3);
    session.send("desired", desired(3));
    expect(stream.failure).toBeUndefined();
    expect(stream.readAll()).toEqual(["desired 1", "dismissal", "desired 2"]);
    expect(stream.failure?.details).toBe("the node web1 is removed (WEFT-E204)");
  });

  it("writes nothing to a stream that is gone", () => {
    const stream = new SlowStream();
    const session = open(stream);
    session.gone();
    session.send("desired", desired(1));
    session.end(new Error("late"));
    expect(stream.written).toEqual([]);
    expect(stream.failure).toBeUndefined();
  });
});

describe("sessions", () => {
  it("keep the newest of a node; the end of an older one is no end of the node", () => {
    const sessions = new Sessions();
    const older = open(new SlowStream());
    const newer = open(new SlowStream());
    sessions.open(older, 0);
    sessions.open(newer, 0);
    expect(sessions.close(older)).toBe(false);
    expect(sessions.of("web1")).toBe(newer);
    expect(sessions.close(newer)).toBe(true);
    expect(sessions.of("web1")).toBeUndefined();
  });
});
