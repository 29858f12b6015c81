import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Observation } from "@weft/shared/model/observation";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { Observer } from "./observer.ts";

const printed = (packets: number) =>
  JSON.stringify({
    nftables: [
      {
        set: {
          name: "denied_out4",
          size: 64,
          timeout: 3600,
          elem: [
            {
              elem: {
                val: { concat: ["10.77.0.12", "tcp", 8080, 2666] },
                expires: 3599,
                counter: { packets },
              },
            },
          ],
        },
      },
    ],
  });

let host: FakeHost;
let packets: number;
let stream: number;
let told: Observation[];
let said: string[];
let observer: Observer;
const signal = new AbortController().signal;

beforeEach(async () => {
  host = new FakeHost();
  await host.files.write("/etc/passwd", "root:x:0:0::/:/bin/sh\nmallory:x:2666:2666::/:/bin/sh\n");
  packets = 1;
  stream = 1;
  told = [];
  said = [];
  host.exec.programs.set("nft", () => ({ stdout: printed(packets) }));
  const say = (line: string) => void said.push(line);
  observer = new Observer({
    host,
    log: { info: say, warn: say, error: say },
    node: "web1",
    streams: () => stream,
    send: (observation) => void told.push(observation),
  });
});
afterEach(() => host.dispose());

describe("the observer", () => {
  it("tells everything on a new stream, then what changed, with the names of users", async () => {
    await observer.look(signal);
    await observer.look(signal);
    expect(told).toMatchObject([
      { complete: true, witness: "kernel of web1", flows: [{ user: "mallory", uid: 2666, packets: 1 }] },
    ]);
    packets = 2;
    await observer.look(signal);
    expect(told[1]).toMatchObject({ complete: false, flows: [{ packets: 2 }] });
    stream = 2;
    await observer.look(signal);
    expect(told[2]).toMatchObject({ complete: true, flows: [{ packets: 2 }] });
  });

  it("looks at nothing while nobody could be told", async () => {
    stream = 0;
    await observer.look(signal);
    expect(host.exec.calls).toEqual([]);
  });

  it("has the kernel count how long it remembers, and tells when that began anew", async () => {
    const marked = new Map<string, number>();
    host.exec.programs.set("nft", ([first], { input = "" }) => {
      const lines = input.trimEnd().split("\n");
      if (first !== "-j") for (const line of lines) marked.set(line.split(" ")[4] ?? "", 1);
      const sets = lines.map((line) => line.split(" ")[4] ?? "");
      const elem = (set: string) =>
        marked.has(set)
          ? [{ elem: { val: 1, timeout: 315_360_000, expires: 315_360_000 - (marked.get(set) ?? 0) } }]
          : [];
      const stdout = sets.map((name) => JSON.stringify({ nftables: [{ set: { name, elem: elem(name) } }] }));
      return { stdout: first === "-j" ? stdout.join("\n") : "" };
    });
    await host.files.write("/proc/uptime", "900.5 100.0\n");
    await observer.look(signal);
    expect(told).toMatchObject([{ memorySeconds: 0 }]);
    expect([...marked.keys()]).toContain("seen_guard_in6");
    for (const set of marked.keys()) marked.set(set, 601);
    await observer.look(signal);
    expect(told[1]).toMatchObject({ complete: false, memorySeconds: 600, flows: [] });
    await observer.look(signal);
    expect(told).toHaveLength(2);
    // one set was emptied: its mark went with it, and is made anew
    marked.delete("seen_out4");
    await observer.look(signal);
    expect(told[2]).toMatchObject({ memorySeconds: 0 });
    expect(marked.get("seen_out4")).toBe(1);
    await host.files.remove("/proc/uptime");
  });

  it("tells what was heard of Cilium at endpoints with it, when that changes or has a gap", async () => {
    const told = { since: 100, packets: 1, gap: "", peer: "" };
    const sent: Observation[] = [];
    const say = () => {};
    const lastSeen = host.clock.now();
    const denied = { kind: "denied", direction: "in", source: "10.42.1.5", destination: undefined } as const;
    const counted = { protocol: "tcp", port: 8080, uid: undefined, user: "", lastSeen } as const;
    const endpoint = { service: "api", identity: 36880, peer: "", forged: false };
    const beside = new Observer({
      host,
      log: { info: say, warn: say, error: say },
      node: "api1",
      streams: () => 1,
      send: (observation) => void sent.push(observation),
      endpoints: async () => ({
        flows: [{ ...denied, ...counted, endpoint: { ...endpoint, peer: told.peer }, packets: told.packets }],
        fullSets: ["denied_endpoints"],
        spent: [],
        memory: { seconds: told.since, gap: told.gap },
      }),
    });
    await beside.look(signal);
    await beside.look(signal);
    expect(sent).toMatchObject([
      { fullSets: ["denied_endpoints"], endpoints: { seconds: 100 }, flows: [{}, {}] },
    ]);
    expect(sent[0]?.flows.map((flow) => flow.endpoint)).toContainEqual(endpoint);
    told.packets = 2;
    await beside.look(signal);
    expect(sent[1]).toMatchObject({ complete: false, flows: [{ endpoint, packets: 2 }] });
    Object.assign(told, { since: 1, gap: "17 events were lost" });
    await beside.look(signal);
    expect(sent[2]).toMatchObject({ flows: [], endpoints: { seconds: 1, gap: "17 events were lost" } });
    expect(sent).toHaveLength(3);
    // who the other end is was learnt only now; that it is not told again is no news
    for (const peer of ["ab".repeat(20), ""]) {
      told.peer = peer;
      await beside.look(signal);
    }
    expect(sent).toHaveLength(4);
    expect(sent[3]?.flows).toMatchObject([{ endpoint: { peer: "ab".repeat(20) }, packets: 2 }]);
  });

  it("answers whoever asks, even if nothing has changed", async () => {
    await observer.look(signal);
    await observer.look(signal, true);
    expect(told).toHaveLength(2);
    expect(told[1]).toMatchObject({ complete: false, flows: [] });
  });

  it("looks at once when somebody asks, and is quiet otherwise", async () => {
    const stop = new AbortController();
    const running = observer.run(stop.signal);
    const settled = async (count: number) => {
      while (host.clock.sleeping === 0 || host.exec.calls.length < count)
        await new Promise((resolve) => setImmediate(resolve));
    };
    await settled(1);
    host.clock.advance(5_000);
    expect(host.exec.calls).toHaveLength(1);
    observer.attend();
    await settled(2);
    host.clock.advance(2_000);
    await settled(3);
    stop.abort();
    await running;
  });

  it("says once that nft fails, and goes on", async () => {
    host.exec.programs.set("nft", () => ({ code: 3, stderr: "no" }));
    await observer.look(signal);
    await observer.look(signal);
    expect(said).toHaveLength(1);
  });
});
