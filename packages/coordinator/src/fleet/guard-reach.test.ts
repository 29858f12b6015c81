import { beforeEach, describe, expect, it } from "@jest/globals";
import { GuardReach } from "./guard-reach.ts";

const tcp = (from: number, to = from) => ({ protocol: "tcp", from, to }) as const;
let open: Set<number>;
let dialled: string[];
let reach: GuardReach;

beforeEach(() => {
  open = new Set([22]);
  dialled = [];
  const dial = async (address: string, port: number) => {
    dialled.push(`${address}:${port}`);
    return open.has(port);
  };
  reach = new GuardReach({ addressOf: (node) => (node === "web1" ? "10.77.0.11" : undefined), dial });
});

describe("GuardReach", () => {
  it("says what it reaches now, by a new connection each time, and remembers nothing", async () => {
    const ports = [tcp(22), tcp(2222)];
    expect(await reach.probe("web1", ports)).toEqual([
      { port: 22, open: true },
      { port: 2222, open: false },
    ]);
    open = new Set([2222]);
    expect(await reach.probe("web1", ports)).toEqual([
      { port: 22, open: false },
      { port: 2222, open: true },
    ]);
    expect(dialled).toHaveLength(4);
  });

  it("dials nobody but the asking node, and few of its ports", async () => {
    expect(await reach.probe("stranger", [tcp(22)])).toEqual([]);
    expect(dialled).toEqual([]);
    await reach.probe("web1", [tcp(1, 65_535), { protocol: "udp", from: 53, to: 53 }]);
    expect(dialled).toHaveLength(32);
    expect(dialled.every((target) => target.startsWith("10.77.0.11:"))).toBe(true);
  });
});
