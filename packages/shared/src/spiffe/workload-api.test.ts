import { status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "@jest/globals";
import {
  type FakeWorkloadApi,
  failCall,
  startFakeWorkloadApi,
  svidMessage,
  temporarySocket,
} from "../../../../test/support/fake-workload-api.ts";
import { makeLeaf, makeRoot } from "../../../../test/support/test-ca.ts";
import type { WeftError } from "../errors/weft-error.ts";
import { fetchX509Context, watchX509 } from "./workload-api.ts";
import type { X509Context } from "./x509-context.ts";

const id = "spiffe://mesh.internal/api";
const root = makeRoot();
const message = () => svidMessage(id, makeLeaf(root, id), [root]);

/** A watch whose events come one by one, and whose pauses are ended by the test. */
function startWatch(address: string) {
  const stop = new AbortController();
  const events: unknown[] = [];
  const wakers: (() => void)[] = [];
  const tell = (event: unknown) => {
    events.push(event);
    for (const wake of wakers.splice(0)) wake();
  };
  const done = watchX509(address, (context) => tell(context), {
    signal: stop.signal,
    onTrouble: (trouble) => tell(trouble),
    pause: async (milliseconds, signal) => {
      if (signal.aborted) return;
      await new Promise<void>((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        tell({ waits: Math.round(milliseconds), resume: resolve });
      });
    },
  });
  stops.push(async () => {
    stop.abort();
    await done.catch(() => undefined);
  });
  const next = async () => {
    while (events.length === 0) await new Promise<void>((resolve) => wakers.push(resolve));
    return events.shift();
  };
  return {
    stop,
    done,
    update: async () => (await next()) as X509Context,
    trouble: async () => (await next()) as WeftError,
    pause: async () => (await next()) as { waits: number; resume: () => void },
  };
}

const stops: (() => Promise<void>)[] = [];
async function startApi(at?: string): Promise<FakeWorkloadApi> {
  const api = await startFakeWorkloadApi(at);
  stops.push(async () => await api[Symbol.asyncDispose]());
  return api;
}
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

describe("watchX509", () => {
  it("sends the security header and hands on each whole state", async () => {
    const api = await startApi();
    const watch = startWatch(`unix://${api.socketPath}`);
    const call = await api.nextCall();
    expect(call.metadata.get("workload.spiffe.io")).toEqual(["true"]);
    expect(call.getPath()).toBe("/SpiffeWorkloadAPI/FetchX509SVID");
    const two = message();
    const other = "spiffe://mesh.internal/web";
    call.write({ ...two, svids: [...two.svids, ...svidMessage(other, makeLeaf(root, other), [root]).svids] });
    expect((await watch.update()).svids.map((svid) => svid.id.path)).toEqual(["/api", "/web"]);
    call.write(message());
    expect((await watch.update()).svids.map((svid) => svid.id.path)).toEqual(["/api"]);
  });

  it("ends quietly when it is stopped, in a stream and in a pause", async () => {
    const api = await startApi();
    const inStream = startWatch(api.socketPath);
    const call = await api.nextCall();
    const cancelled = new Promise((resolve) => call.once("cancelled", resolve));
    inStream.stop.abort();
    await inStream.done;
    await cancelled;
    const inPause = startWatch(`${api.socketPath}.none`);
    await inPause.trouble();
    await inPause.pause();
    inPause.stop.abort();
    await inPause.done;
  });

  it("waits 1 s longer after each failure, up to 30 s, and begins anew after a message", async () => {
    const api = await startApi();
    const watch = startWatch(api.socketPath);
    const waits: number[] = [];
    for (let i = 0; i < 33; i += 1) {
      failCall(await api.nextCall(), status.UNAVAILABLE);
      expect((await watch.trouble()).code).toBe("WEFT-E503");
      const pause = await watch.pause();
      waits.push(pause.waits);
      pause.resume();
    }
    expect(waits).toEqual([...Array.from({ length: 30 }, (_, i) => (i + 1) * 1000), 30_000, 30_000, 30_000]);
    const call = await api.nextCall();
    call.write(message());
    await watch.update();
    failCall(call, status.UNAVAILABLE);
    await watch.trouble();
    expect((await watch.pause()).waits).toBe(1000);
  });

  it("comes back when an endpoint appears that was not there", async () => {
    const { path, remove } = await temporarySocket();
    stops.push(remove);
    const watch = startWatch(path);
    expect(await watch.trouble()).toMatchObject({
      code: "WEFT-E503",
      hint: expect.stringContaining("spire-agent"),
    });
    const pause = await watch.pause();
    const api = await startApi(path);
    pause.resume();
    (await api.nextCall()).write(message());
    expect((await watch.update()).svids).toHaveLength(1);
  });

  it("opens the stream again when the endpoint ends it, without trouble, and not in a hot loop", async () => {
    const api = await startApi();
    const watch = startWatch(api.socketPath);
    const call = await api.nextCall();
    call.write(message());
    await watch.update();
    call.end();
    const pause = await watch.pause();
    expect(pause.waits).toBeGreaterThan(0);
    expect(pause.waits).toBeLessThanOrEqual(1000);
    pause.resume();
    (await api.nextCall()).write(message());
    await watch.update();
  });

  it.each([["INVALID_ARGUMENT"], ["CANCELLED"]] as const)("gives up at %s", async (name) => {
    const api = await startApi();
    const watch = startWatch(api.socketPath);
    const given = expect(watch.done).rejects.toMatchObject({ code: "WEFT-E503" });
    failCall(await api.nextCall(), status[name]);
    await watch.trouble();
    await given;
    expect(api.calls()).toBe(1);
  });

  it("withdraws the identity when permission is denied after it was granted, once, and goes on trying", async () => {
    const api = await startApi();
    const watch = startWatch(api.socketPath);
    const call = await api.nextCall();
    call.write(message());
    await watch.update();
    for (const first of [true, false]) {
      failCall(first ? call : await api.nextCall(), status.PERMISSION_DENIED);
      expect((await watch.trouble()).message).toBe("the Workload API has no identity for this process");
      if (first) expect(await watch.update()).toEqual({ svids: [], bundles: new Map() });
      (await watch.pause()).resume();
    }
    (await api.nextCall()).write(message());
    expect((await watch.update()).svids).toHaveLength(1);
  });

  it("keeps the identity while the endpoint is merely away", async () => {
    const api = await startApi();
    const watch = startWatch(api.socketPath);
    const call = await api.nextCall();
    call.write(message());
    await watch.update();
    failCall(call, status.UNAVAILABLE);
    await watch.trouble();
    // The next event is the pause: no update has withdrawn anything.
    expect((await watch.pause()).waits).toBe(1000);
  });

  it("reports a message that breaks the standard, drops it, and stays on the stream", async () => {
    const api = await startApi();
    const watch = startWatch(api.socketPath);
    const call = await api.nextCall();
    call.write({ ...message(), svids: [] });
    expect(await watch.trouble()).toMatchObject({ code: "WEFT-E205" });
    call.write(message());
    expect((await watch.update()).svids).toHaveLength(1);
    expect(api.calls()).toBe(1);
  });

  it("does not hide an error of its user", async () => {
    const api = await startApi();
    const watching = watchX509(
      api.socketPath,
      () => {
        throw new RangeError("a bug");
      },
      { signal: new AbortController().signal },
    );
    const thrown = expect(watching).rejects.toThrow("a bug");
    (await api.nextCall()).write(message());
    await thrown;
  });
});

describe("fetchX509Context", () => {
  it("returns the first state and hangs up", async () => {
    const api = await startApi();
    const fetching = fetchX509Context(api.socketPath, 5000);
    const call = await api.nextCall();
    const cancelled = new Promise((resolve) => call.once("cancelled", resolve));
    call.write(message());
    expect((await fetching).svids).toHaveLength(1);
    await cancelled;
  });

  it("waits for an endpoint that is not there yet", async () => {
    const { path, remove } = await temporarySocket();
    stops.push(remove);
    const fetching = fetchX509Context(path, 10_000);
    const api = await startApi(path);
    (await api.nextCall()).write(message());
    expect((await fetching).svids).toHaveLength(1);
  });

  it("says in one sentence that there is no identity, no answer, or nobody", async () => {
    const api = await startApi();
    const refused = expect(fetchX509Context(api.socketPath, 5000)).rejects.toMatchObject({
      code: "WEFT-E503",
      message: "the Workload API has no identity for this process",
    });
    failCall(await api.nextCall(), status.PERMISSION_DENIED);
    await refused;
    await expect(fetchX509Context(api.socketPath, 50)).rejects.toMatchObject({ code: "WEFT-E005" });
    await expect(fetchX509Context(`${api.socketPath}.none`, 50)).rejects.toMatchObject({ code: "WEFT-E005" });
    const ended = expect(fetchX509Context(api.socketPath, 5000)).rejects.toMatchObject({ code: "WEFT-E503" });
    await api.nextCall();
    (await api.nextCall()).end();
    await ended;
  });
});
