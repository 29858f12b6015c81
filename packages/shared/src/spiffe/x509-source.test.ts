import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "@jest/globals";
import { failCall, startFakeWorkloadApi, svidMessage } from "../../../../test/support/fake-workload-api.ts";
import { makeLeaf, makeRoot } from "../../../../test/support/test-ca.ts";
import { tlsIdentityOf, watchX509Source } from "./x509-source.ts";

const id = "spiffe://mesh.internal/api";
const root = makeRoot();

describe("watchX509Source", () => {
  it("is ready with the first identity, follows changes, and keeps the last one when stopped", async () => {
    await using api = await startFakeWorkloadApi();
    const stop = new AbortController();
    const { source, ready, done } = watchX509Source(api.socketPath, { signal: stop.signal });
    expect(source.current()).toBeUndefined();
    const call = await api.nextCall();
    const [first, second] = [makeLeaf(root, id), makeLeaf(root, id)];
    call.write(svidMessage(id, first, [root]));
    expect(await ready).toEqual({ id, cert: first.pem, key: first.keyPem, ca: root.pem });
    const changed = new Promise((resolve) => source.onChange(resolve));
    call.write(svidMessage(id, second, [root]));
    expect(await changed).toMatchObject({ cert: second.pem });
    expect(source.current()).toMatchObject({ cert: second.pem });
    stop.abort();
    await done;
  });

  it("is never ready when the watch gives up or is stopped before", async () => {
    await using api = await startFakeWorkloadApi();
    const refused = watchX509Source(api.socketPath, { signal: new AbortController().signal });
    failCall(await api.nextCall(), status.INVALID_ARGUMENT);
    await expect(refused.ready).rejects.toMatchObject({ code: "WEFT-E503" });
    await expect(refused.done).rejects.toMatchObject({ code: "WEFT-E503" });
    const stop = new AbortController();
    const stopped = watchX509Source(api.socketPath, { signal: stop.signal });
    await api.nextCall();
    stop.abort();
    await expect(stopped.ready).rejects.toMatchObject({ name: "AbortError" });
    await stopped.done;
  });

  it("has no identity in an empty state", () => {
    expect(tlsIdentityOf({ svids: [], bundles: new Map() })).toBeUndefined();
  });
});
