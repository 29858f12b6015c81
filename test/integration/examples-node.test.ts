import { status } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "@jest/globals";
import { parseClientArguments, runClient } from "../../examples/node/client.ts";
import { serve } from "../../examples/node/serve.ts";
import { readSettings } from "../../examples/node/settings.ts";
import {
  failCall,
  startFakeWorkloadApi,
  svidMessage,
  type WorkloadCall,
} from "../support/fake-workload-api.ts";
import { makeLeaf, makeRoot } from "../support/test-ca.ts";

const root = makeRoot();
const apiId = "spiffe://mesh.internal/api";
const webId = "spiffe://mesh.internal/web";
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A Workload API that gives everybody this identity; with refuse, nobody any. */
async function workloadApi(spiffeId: string, refuse = false): Promise<string> {
  const api = await startFakeWorkloadApi();
  closers.push(async () => await api[Symbol.asyncDispose]());
  const answer = (call: WorkloadCall): void => {
    if (refuse) failCall(call, status.PERMISSION_DENIED);
    else call.write(svidMessage(spiffeId, makeLeaf(root, spiffeId), [root]));
    void api.nextCall().then(answer);
  };
  void api.nextCall().then(answer);
  return `unix://${api.socketPath}`;
}

async function startApi(allow = [webId]): Promise<{ port: number; log: string[]; stop: AbortController }> {
  const stop = new AbortController();
  const log: string[] = [];
  const settings = { workloadApi: await workloadApi(apiId), port: 0, allow };
  const { port, done } = await serve(settings, stop.signal, (line) => log.push(line));
  closers.push(async () => {
    stop.abort();
    await done;
  });
  return { port, log, stop };
}

async function client(
  port: number,
  more: string[] = [],
  as = webId,
  expected = apiId,
  signal = new AbortController().signal,
) {
  const lines: unknown[] = [];
  const argv = ["--get", `https://127.0.0.1:${port}/hello`, "--expect", expected, ...more];
  const code = await runClient(parseClientArguments(argv)!, await workloadApi(as), signal, (line) =>
    lines.push(JSON.parse(line)),
  );
  return { code, lines };
}

const answer = { status: 200, peer: apiId, body: { hello: webId, from: apiId } };

describe("web and api", () => {
  it("name each other", async () => {
    const { port, log } = await startApi();
    expect(await client(port)).toEqual({ code: 0, lines: [answer] });
    expect(log.at(-1)).toBe(`served GET /hello to ${webId}`);
  });

  it("refuse each other in one sentence when the ID is not the right one", async () => {
    const { port, log } = await startApi();
    await expect(client(port, [], webId, "spiffe://mesh.internal/db")).rejects.toThrow(
      /^the peer is not who it should be: It proved to be spiffe:\/\/mesh.internal\/api, and .*\/db was expected\.$/,
    );
    await expect(client(port, [], "spiffe://mesh.internal/mallory")).rejects.toThrow(
      `127.0.0.1:${port} refused the request with HTTP status 403`,
    );
    expect(log.at(-1)).toBe("refused GET /hello to spiffe://mesh.internal/mallory");
  });

  it("say in one sentence that nobody listens, and that there is no identity", async () => {
    const { port, stop } = await startApi();
    stop.abort();
    await expect(client(port)).rejects.toThrow(`127.0.0.1:${port} refused the connection`);
    const args = parseClientArguments(["--get", "https://127.0.0.1:1/", "--expect", apiId])!;
    await expect(
      runClient(args, await workloadApi(webId, true), new AbortController().signal, () => undefined),
    ).rejects.toThrow("the Workload API has no identity for this process");
  });

  it("ask over fresh connections, or keep one", async () => {
    const { port } = await startApi();
    const summary = { asked: 3, answered: 3 };
    const wanted = { code: 0, lines: [answer, answer, answer, summary] };
    expect(await client(port, ["--count", "3", "--interval", "1"])).toEqual(wanted);
    expect(await client(port, ["--count", "3", "--interval", "1", "--keepalive"])).toEqual(wanted);
  });

  it("report a kept connection that breaks, and a row that has gaps", async () => {
    const { port, log, stop } = await startApi();
    const keeping = client(port, ["--keepalive", "--interval", "5"]);
    const asking = client(port, ["--count", "20", "--interval", "5"]);
    while (log.length < 10) await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort();
    const kept = await keeping;
    expect(kept.code).toBe(1);
    expect(kept.lines.at(-2)).toEqual({ broken: expect.stringMatching(/reset|refused/) });
    const asked = await asking;
    expect(asked.code).toBe(1);
    expect(asked.lines).toContainEqual({ error: `127.0.0.1:${port} refused the connection` });
    expect(asked.lines.at(-1)).toMatchObject({ asked: 20 });
  });

  it("end a row with its sums when they are stopped", async () => {
    const { port, log } = await startApi();
    const stop = new AbortController();
    const running = client(port, ["--keepalive", "--interval", "5"], webId, apiId, stop.signal);
    while (log.length < 5) await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort();
    const { code, lines } = await running;
    expect(code).toBe(0);
    expect(lines.at(-1)).toEqual({ asked: lines.length - 1, answered: lines.length - 1 });
  });
});

describe("arguments and settings", () => {
  it("are read", () => {
    expect(parseClientArguments([])).toBeUndefined();
    expect(parseClientArguments(["--get", "https://a/", "--expect", apiId])).toMatchObject({
      count: 1,
      timeoutMs: 5000,
    });
    expect(parseClientArguments(["--get", "https://a/", "--expect", apiId, "--keepalive"])).toMatchObject({
      count: undefined,
      keepAlive: true,
    });
    expect(readSettings({ ALLOW: `${apiId}, ${webId},`, PORT: "1" })).toEqual({
      workloadApi: "unix:///run/spire/agent/public/api.sock",
      port: 1,
      allow: [apiId, webId],
    });
  });

  it.each([
    [["--get", "https://a/"]],
    [["--expect", apiId]],
    [["--get", "http://a/", "--expect", apiId]],
    [["--get", "https://a/", "--expect", "api"]],
    [["--count", "x"]],
  ])("that are wrong are refused: %j", (argv) => {
    expect(() => parseClientArguments(argv)).toThrow();
  });

  it("name only ports and SPIFFE IDs", () => {
    expect(() => readSettings({ PORT: "http" })).toThrow("PORT is not a port");
    expect(() => readSettings({ ALLOW: "web" })).toThrow(expect.objectContaining({ code: "WEFT-E205" }));
  });
});
