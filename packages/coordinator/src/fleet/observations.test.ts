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
  memorySeconds: 0,
  spent: [],
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

  it("is from when on its endpoints were heard, if it has any", () => {
    const observations = new Observations();
    const of = (endpoints: Observation["endpoints"]) => {
      observations.take("api1", said([], { endpoints }), now);
      return observations.of("api1")?.endpoints;
    };
    expect(of(undefined)).toBeUndefined();
    expect(of({ seconds: 0, gap: "gone" })).toEqual({ since: undefined, gap: "gone" });
    expect(of({ seconds: 60, gap: "" })).toEqual({ since: ago(60), gap: "" });
    // no longer than flows are kept
    expect(of({ seconds: 9e9, gap: "" })?.since).toEqual(ago(7 * 24 * 3600));
  });

  it("of endpoints that send each has its own share, and its own name", () => {
    const observations = new Observations(4);
    const sent = (service: string, port: number) =>
      flow(port, {
        direction: "out",
        source: undefined,
        destination: "10.77.0.9",
        endpoint: { service, identity: 1, peer: "", forged: false },
      });
    const flows = [1, 2, 3, 4, 5, 6].map((port) => sent("web", port));
    observations.take("api1", said([...flows, sent("api", 1), sent("api", 2)]), now);
    const [held] = observations.all(now);
    expect(held?.flows.map(({ endpoint }) => endpoint?.service)).toEqual(["web", "web", "api", "api"]);
    expect(held?.spent).toMatchObject([{ direction: "out", uid: undefined, endpoint: "web" }]);
  });

  it("is bounded: whoever has the most loses the longest unused, and is named for good", () => {
    const observations = new Observations(4);
    const flows = Array.from({ length: 10 }, (_, index) => flow(index + 1, { lastSeen: ago(index) }));
    const other = flow(1, { source: "10.77.0.8", lastSeen: ago(3_000) });
    observations.take("api1", said([...flows, other], { leftOut: 5 }), now);
    const [held] = observations.all(now);
    expect(held?.flows.map(({ source, port }) => [source, port])).toEqual([
      ["10.77.0.9", 1],
      ["10.77.0.9", 2],
      ["10.77.0.9", 3],
      ["10.77.0.8", 1],
    ]);
    expect(held?.leftOut).toBe(5);
    expect(held?.spent).toMatchObject([{ direction: "in", source: "10.77.0.9" }]);
    observations.take("api1", said([]), now);
    expect(observations.of("api1")?.spent).toHaveLength(1);
    observations.take("api1", said([], { complete: true }), now);
    expect(observations.of("api1")?.spent).toEqual([]);
  });

  it("counts what went of more sources than there is room for", () => {
    const observations = new Observations(3);
    const flows = Array.from({ length: 10 }, (_, index) => flow(1, { source: `10.9.0.${index}` }));
    observations.take("api1", said(flows), now);
    observations.take("api1", said([]), now);
    expect(observations.of("api1")?.leftOut).toBe(7);
    expect(observations.all(now)[0]?.flows).toHaveLength(3);
  });

  it("does not hold a source to account for what the kernel itself forgot", () => {
    const observations = new Observations(2);
    const old = flow(1, { lastSeen: ago(8 * 24 * 3600) });
    observations.take("api1", said([old, flow(2), flow(3)]), now);
    expect(observations.of("api1")?.spent).toEqual([]);
  });

  it("goes back as far as the kernel says, and no further than it keeps anything", () => {
    const observations = new Observations();
    observations.take("api1", said([], { memorySeconds: 60 }), now);
    expect(observations.of("api1")?.memorySince).toEqual(ago(60));
    observations.take("api1", said([], { memorySeconds: 1e12 }), now);
    expect(observations.of("api1")?.memorySince).toEqual(ago(7 * 24 * 3600));
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
