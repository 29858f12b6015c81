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
