import { describe, expect, it, jest } from "@jest/globals";
import { EndpointMemory, type HeardFlow } from "./endpoint-memory.ts";

const bounds = { seen: 4, denied: 3, ofSource: { in: 2, out: 3 }, deniedOfSource: 2, named: 2 };
const at = (seconds: number) => new Date(1_800_000_000_000 + seconds * 1000);
const flow = (port: number, more: Partial<HeardFlow> = {}): HeardFlow => ({
  kind: "seen",
  direction: "in",
  service: "api",
  identity: 8061,
  address: "10.42.11.5",
  protocol: "tcp",
  port,
  ...more,
});
const ports = (memory: EndpointMemory, now: Date) => memory.flows(now).map(({ port }) => port);

describe("the memory of endpoints' flows", () => {
  it("counts, and knows when it was last; what passes and what is refused apart", () => {
    const memory = new EndpointMemory(bounds);
    memory.add(flow(80), at(0));
    memory.add(flow(80), at(7));
    memory.add(flow(80, { kind: "denied" }), at(8));
    expect(memory.flows(at(9))).toMatchObject([
      { kind: "seen", packets: 2, lastSeen: at(7) },
      { kind: "denied", packets: 1, lastSeen: at(8) },
    ]);
    memory.forget();
    expect(memory.flows(at(9))).toEqual([]);
  });

  it("forgets refusals after an hour, and the rest after a week", () => {
    const memory = new EndpointMemory(bounds);
    memory.add(flow(80), at(0));
    memory.add(flow(81, { kind: "denied" }), at(0));
    expect(ports(memory, at(3_599))).toEqual([80, 81]);
    expect(ports(memory, at(3_600))).toEqual([80]);
    expect(ports(memory, at(7 * 24 * 3_600))).toEqual([]);
  });

  it("names whoever has used up a source's room, and takes in what others do", () => {
    const memory = new EndpointMemory(bounds);
    for (const port of [80, 81, 82, 83]) memory.add(flow(port), at(0));
    expect(ports(memory, at(0))).toEqual([80, 81]);
    expect(memory.spent()).toMatchObject([{ direction: "in", source: "10.42.11.5" }]);
    expect(memory.fullSets()).toEqual([]);
    memory.add(flow(90, { address: "10.42.11.6" }), at(0));
    for (const port of [1, 2, 3, 4]) memory.add(flow(port, { direction: "out" }), at(0));
    expect(ports(memory, at(0))).toEqual([80, 81, 90, 1]);
    // what is known is counted on
    memory.add(flow(80), at(1));
    expect(memory.flows(at(1))[0]).toMatchObject({ packets: 2 });
  });

  it("says that it is full until what it left out would be forgotten", () => {
    const memory = new EndpointMemory(bounds);
    for (const last of [1, 2, 3, 4, 5]) memory.add(flow(80, { address: `10.42.11.${last}` }), at(0));
    expect([memory.fullSets(), memory.spent()]).toEqual([["seen_endpoints"], []]);
    for (const port of [1, 2, 3]) memory.add(flow(port, { kind: "denied" }), at(0));
    expect(memory.fullSets()).toEqual(["seen_endpoints", "denied_endpoints"]);
    // there is room again
    memory.add(flow(4, { kind: "denied" }), at(3_600));
    expect(ports(memory, at(3_600))).toHaveLength(5);
    expect(memory.fullSets()).toEqual(["seen_endpoints"]);
  });

  it("does not go through all of it for each that it has no room for", () => {
    const memory = new EndpointMemory({ ...bounds, seen: 1_000, ofSource: { in: 1_000, out: 1_000 } });
    for (let port = 0; port < 1_000; port++) memory.add(flow(port), at(0));
    const read = jest.spyOn(Date.prototype, "getTime");
    for (let port = 1_000; port < 2_000; port++) memory.add(flow(port), at(0.5));
    const times = read.mock.calls.length;
    read.mockRestore();
    expect(times).toBeLessThan(10_000);
    // and forgets in time all the same
    memory.add(flow(2_000), at(7 * 24 * 3_600));
    expect(ports(memory, at(7 * 24 * 3_600))).toEqual([2_000]);
  });

  it("says that it is full where there are more sources than it names", () => {
    const memory = new EndpointMemory({ ...bounds, seen: 99 });
    for (const last of [1, 2, 3])
      for (const port of [1, 2, 3]) memory.add(flow(port, { address: `10.42.11.${last}` }), at(0));
    expect([memory.spent().length, memory.fullSets()]).toEqual([2, ["seen_endpoints"]]);
  });
});
