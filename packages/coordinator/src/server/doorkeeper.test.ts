import { EventEmitter } from "node:events";
import { describe, expect, it } from "@jest/globals";
import { Doorkeeper } from "./doorkeeper.ts";

class FakeVisitor extends EventEmitter {
  bytesRead = 0;
  destroyed = false;
  readonly remoteAddress: string;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit("close");
  }
}

const limits = { total: 4, perSource: 2, quietMs: 30_000 };
const node = "fd77::11";
const make = (change: { readonly longestMs?: number } = {}) =>
  new Doorkeeper({ ...limits, ...change }, (address) => address === node);
const come = (door: Doorkeeper, address: string) => {
  const visitor = new FakeVisitor(address);
  expect(door.admit(visitor, 0)).toBe(!visitor.destroyed);
  return visitor;
};

describe("a port's door", () => {
  it("lets so many of one source in, and others when they have left", () => {
    const door = make();
    const first = come(door, "::ffff:10.0.0.1");
    expect(come(door, "10.0.0.1").destroyed).toBe(false);
    expect(come(door, "10.0.0.1").destroyed).toBe(true);
    expect(come(door, "10.0.0.2").destroyed).toBe(false);
    first.destroy();
    expect(come(door, "10.0.0.1").destroyed).toBe(false);
  });

  it("counts a network as one source, but never a node with the strangers beside it", () => {
    const door = make();
    for (const host of ["1", "2"]) expect(come(door, `fd77::${host}`).destroyed).toBe(false);
    expect(come(door, "fd77::3").destroyed).toBe(true);
    expect(come(door, node).destroyed).toBe(false);
  });

  it("is shut to strangers when the house is full, and not to a node", () => {
    const door = make();
    for (const host of [1, 2, 3, 4]) come(door, `10.0.0.${host}`);
    expect(come(door, "10.0.0.5").destroyed).toBe(true);
    expect(come(door, node).destroyed).toBe(false);
  });

  it("ends the silent, and keeps who says a byte", () => {
    const door = make();
    const silent = come(door, "10.0.0.1");
    const alive = come(door, "10.0.0.2");
    for (let now = 5_000; now <= 60_000; now += 5_000) {
      alive.bytesRead += 1;
      door.sweep(now);
    }
    expect([silent.destroyed, alive.destroyed]).toEqual([true, false]);
  });

  it("ends who stays longer than anybody may", () => {
    const door = make({ longestMs: 90_000 });
    const dripping = come(door, "10.0.0.1");
    for (let now = 0; now < 90_000; now += 5_000) {
      dripping.bytesRead += 1;
      door.sweep(now);
    }
    expect(dripping.destroyed).toBe(false);
    door.sweep(90_000);
    expect(dripping.destroyed).toBe(true);
  });
});
