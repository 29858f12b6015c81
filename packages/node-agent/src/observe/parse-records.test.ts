import { describe, expect, it } from "@jest/globals";
import { FlowChanges } from "./flow-changes.ts";
import { parseRecords } from "./parse-records.ts";

const now = new Date("2026-11-22T12:00:00Z");

function setLine(name: string, elements: unknown[], size = 65_536): string {
  const set = { family: "inet", name, table: "weft", size, timeout: 3600, elem: elements };
  return JSON.stringify({ nftables: [{ metainfo: {} }, { set }] });
}
const element = (concat: unknown[], packets: number, expires = 3590) => ({
  elem: { val: { concat }, expires, counter: { packets, bytes: 60 } },
});

describe("what the kernel recorded", () => {
  it("is read with direction, ends, port, uid, count and last use", () => {
    const printed = [
      "",
      setLine("denied_out4", [element(["10.77.0.12", "tcp", 8080, 2666], 3)]),
      setLine("seen_in6", [element(["fd77::66", 17, 5300], 1, 3600)]),
      setLine("denied_forward4", [element(["172.17.0.2", "10.77.0.12", "tcp", 80], 1)]),
      setLine("rev", [1]),
    ].join("\n");
    expect(parseRecords(printed, now)).toEqual({
      fullSets: [],
      spent: [],
      flows: [
        {
          kind: "denied",
          direction: "out",
          source: undefined,
          destination: "10.77.0.12",
          protocol: "tcp",
          port: 8080,
          uid: 2666,
          user: "",
          packets: 3,
          lastSeen: new Date("2026-11-22T11:59:50Z"),
        },
        expect.objectContaining({ direction: "in", source: "fd77::66", protocol: "udp", lastSeen: now }),
        expect.objectContaining({ direction: "forward", source: "172.17.0.2", destination: "10.77.0.12" }),
      ],
    });
  });

  it("is one flow, though it was counted in two sets", () => {
    const printed = [
      setLine("seen_out4", [element(["10.77.0.12", "tcp", 8080, 998], 3, 3000)]),
      setLine("seen_mesh_out4", [element(["10.77.0.12", "tcp", 8080, 998], 4)]),
      setLine("seen_guard_in4", [element(["10.77.0.12", "tcp", 22], 1)]),
    ].join("\n");
    expect(parseRecords(printed, now).flows).toMatchObject([
      { kind: "seen", direction: "out", packets: 7, lastSeen: new Date("2026-11-22T11:59:50Z") },
      { kind: "seen", direction: "in", port: 22 },
    ]);
  });

  it("names who has used up a quota", () => {
    const plain = (val: unknown) => ({ elem: { val, expires: 3590 } });
    const printed = [
      setLine("spent_out", [plain(2666)]),
      setLine("spent_in4", [plain("10.77.0.66")]),
      setLine("spent_in6", [plain("fd77::")], 1),
      setLine("quota_in4", [plain("10.77.0.67")]),
    ].join("\n");
    expect(parseRecords(printed, now)).toEqual({
      flows: [],
      fullSets: ["spent_in6"],
      spent: [
        { direction: "out", source: undefined, uid: 2666, user: "" },
        { direction: "in", source: "10.77.0.66", uid: undefined, user: "" },
        { direction: "in", source: "fd77::/64", uid: undefined, user: "" },
      ],
    });
  });

  it("has pings without a port", () => {
    const ping = { elem: { val: "10.77.0.9", expires: 3590, counter: { packets: 4, bytes: 336 } } };
    const { flows } = parseRecords(setLine("denied_ping4", [ping]), now);
    expect(flows).toMatchObject([
      { kind: "denied", direction: "in", source: "10.77.0.9", protocol: "icmp", port: 0, packets: 4 },
    ]);
    expect(flows[0]?.lastSeen).toEqual(new Date("2026-11-22T11:59:50Z"));
  });

  it("leaves out what is neither TCP nor UDP, and names full sets", () => {
    const printed = setLine(
      "denied_in4",
      [element(["10.77.0.9", "icmp", 0], 1), element(["10.77.0.9", "tcp", 1], 1)],
      2,
    );
    const { flows, fullSets } = parseRecords(printed, now);
    expect(flows).toHaveLength(1);
    expect(fullSets).toEqual(["denied_in4"]);
  });
});

describe("what is told of it", () => {
  const flowsOf = (printed: string) => parseRecords(printed, now).flows;
  const many = (packets: number) =>
    flowsOf(
      [
        setLine("seen_in4", [
          element(["10.77.0.1", "tcp", 80], packets),
          element(["10.77.0.2", "tcp", 80], 1),
        ]),
        setLine("denied_in4", [element(["10.77.0.3", "tcp", 80], 1)]),
      ].join("\n"),
    );

  it("is what is new or was used again, refusals first", () => {
    const changes = new FlowChanges(10);
    expect(changes.take(many(1)).flows.map(({ kind }) => kind)).toEqual(["denied", "seen", "seen"]);
    expect(changes.take(many(1)).flows).toEqual([]);
    expect(changes.take(many(5)).flows).toMatchObject([{ source: "10.77.0.1", packets: 5 }]);
    changes.forget();
    expect(changes.take(many(5)).flows).toHaveLength(3);
  });

  it("is bounded, and the rest comes with the next look", () => {
    const changes = new FlowChanges(2);
    const first = changes.take(many(1));
    expect(first.flows).toHaveLength(2);
    expect(first.leftOut).toBe(1);
    expect(changes.take(many(1))).toMatchObject({ flows: [{ kind: "seen" }], leftOut: 0 });
  });

  it("leaves room for flows nobody was told of, however many refusals there are", () => {
    const refusals = Array.from({ length: 9 }, (_, port) => element(["10.77.0.3", "tcp", port + 1], 1));
    const busy = flowsOf(
      [setLine("denied_in4", refusals), setLine("seen_in4", [element(["10.77.0.1", "tcp", 80], 1)])].join(
        "\n",
      ),
    );
    const changes = new FlowChanges(4);
    const first = changes.take(busy);
    expect(first.flows.map(({ kind }) => kind).sort()).toEqual(["denied", "denied", "denied", "seen"]);
    expect(first).toMatchObject({ leftOut: 6, isWhole: false });
    // what was told and is used again is known there, if not its newest count
    const again = busy.map((flow) => ({ ...flow, packets: 2 }));
    const second = changes.take(again);
    expect(second.leftOut).toBe(2);
    expect(second.isWhole).toBe(false);
  });

  it("is told again when the kernel had forgotten it", () => {
    const changes = new FlowChanges(10);
    changes.take(many(1));
    changes.take([]);
    expect(changes.take(many(1)).flows).toHaveLength(3);
  });
});
