import { describe, expect, it } from "@jest/globals";
import type { Observation, ObservedFlow } from "@weft/shared/model/observation";
import { Observations } from "./observations.ts";

const now = new Date("2026-11-22T12:00:00Z");
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);

const flow = (port: number, more: Partial<ObservedFlow> = {}): ObservedFlow => ({
  kind: "seen",
  direction: "in",
  source: "10.77.0.9",
  destination: undefined,
  protocol: "tcp",
  port,
  uid: undefined,
  user: "",
  packets: 1,
  lastSeen: now,
  ...more,
});
const said = (flows: readonly ObservedFlow[], more: Partial<Observation> = {}): Observation => ({
  witness: "kernel of api1",
  flows,
  complete: false,
  fullSets: [],
  leftOut: 0,
  ...more,
});

describe("what is held of each node", () => {
  it("grows by what is new, and is replaced by what is complete", () => {
    const observations = new Observations();
    observations.take("api1", said([flow(1), flow(2)]), now);
    observations.take("api1", said([flow(2, { packets: 9 }), flow(3)]), now);
    const [held] = observations.all(now);
    expect(held?.flows.map(({ port, packets }) => [port, packets])).toEqual([
      [1, 1],
      [2, 9],
      [3, 1],
    ]);
    observations.take("api1", said([flow(4)], { complete: true }), now);
    expect(observations.all(now)[0]?.flows).toHaveLength(1);
  });

  it("is bounded: the longest unused go, and that is said", () => {
    const observations = new Observations(3);
    const flows = Array.from({ length: 10 }, (_, index) => flow(index + 1, { lastSeen: ago(index) }));
    observations.take("api1", said(flows, { leftOut: 5 }), now);
    const [held] = observations.all(now);
    expect(held?.flows.map(({ port }) => port)).toEqual([1, 2, 3]);
    expect(held?.leftOut).toBe(12);
  });

  it("ends as the kernel's sets forget it, and never lies in the future", () => {
    const observations = new Observations();
    const denied = flow(1, { kind: "denied", lastSeen: ago(3601) });
    observations.take(
      "api1",
      said([denied, flow(2, { lastSeen: ago(-60) })], { fullSets: ["seen_in4"] }),
      now,
    );
    const [held] = observations.all(now);
    expect(held?.flows).toMatchObject([{ port: 2, lastSeen: now }]);
    expect(held?.fullSets).toEqual(["seen_in4"]);
  });
});
