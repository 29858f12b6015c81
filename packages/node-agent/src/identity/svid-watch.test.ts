import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { eventually } from "../../../../test/support/eventually.ts";
import { FakeClock } from "../../../../test/support/fake-host.ts";
import {
  type FakeWorkloadApi,
  failCall,
  startFakeWorkloadApi,
  svidMessage,
} from "../../../../test/support/fake-workload-api.ts";
import { makeLeaf, makeRoot } from "../../../../test/support/test-ca.ts";
import { SvidWatch } from "./svid-watch.ts";

const id = "spiffe://mesh.internal/weft/cilium/api1";
const root = makeRoot();
const message = () => svidMessage(id, makeLeaf(root, id), [root]);

let api: FakeWorkloadApi;
let clock: FakeClock;
let changes: number;
let watch: SvidWatch;
let stop: AbortController;
let running: Promise<void>;

beforeEach(async () => {
  api = await startFakeWorkloadApi();
  clock = new FakeClock();
  changes = 0;
  stop = new AbortController();
  watch = new SvidWatch({ clock, address: api.socketPath, onChange });
  running = watch.run(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await running;
  await api[Symbol.asyncDispose]();
});

function onChange(): void {
  changes += 1;
}
const svids = () => watch.context?.svids.length;

describe("SvidWatch", () => {
  it("asks nobody as long as nothing is wanted", async () => {
    watch.want(false);
    stop.abort();
    await running;
    expect(api.calls()).toBe(0);
  });

  it("follows what it is given, and tells of each change", async () => {
    watch.want(true);
    const call = await api.nextCall();
    expect(watch.context).toBeUndefined();
    call.write(message());
    await eventually("the first", () => svids() === 1);
    call.write(message());
    await eventually("the second", () => changes === 2);
    expect(watch.trouble).toBeUndefined();
  });

  it("says what is wrong until it is answered again", async () => {
    watch.want(true);
    failCall(await api.nextCall(), status.PERMISSION_DENIED);
    await eventually("told", () => watch.trouble?.includes("no identity for this process"));
    (await api.nextCall()).write(message());
    await eventually("well again", () => watch.trouble === undefined && svids() === 1);
    expect(changes).toBe(2);
  });

  it("tries again later where it was refused for good", async () => {
    watch.want(true);
    failCall(await api.nextCall(), status.INVALID_ARGUMENT);
    await eventually("it waits", () => clock.sleeping === 1);
    clock.advance(30_000);
    (await api.nextCall()).write(message());
    await eventually("answered", () => svids() === 1);
  });

  it("lets go of what is wanted no more, and begins anew when it is again", async () => {
    watch.want(true);
    const call = await api.nextCall();
    const cancelled = new Promise((resolve) => call.once("cancelled", resolve));
    call.write(message());
    await eventually("the first", () => svids() === 1);
    watch.want(false);
    await cancelled;
    await eventually("nothing is kept", () => watch.context === undefined);
    watch.want(true);
    (await api.nextCall()).write(message());
    await eventually("the first of the second watch", () => svids() === 1);
  });
});
