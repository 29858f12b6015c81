import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { reconcileEntries } from "../../packages/coordinator/src/spire/entry-reconciler.ts";
import { etcdClientEntry, etcdMemberEntry } from "../../packages/coordinator/src/spire/etcd-entry.ts";
import { isEmptyDiff } from "../../packages/coordinator/src/spire/reconcile-entries.ts";
import { connectSpireServer } from "../../packages/coordinator/src/spire/spire-client.ts";
import type { RegistrationEntry, SpireServer } from "../../packages/coordinator/src/spire/spire-server.ts";
import { readCertificate } from "../../packages/shared/src/spiffe/certificate.ts";
import { makeCsr } from "../../packages/shared/src/spiffe/csr.ts";
import { verifyX509Svid } from "../../packages/shared/src/spiffe/x509-svid.ts";
import { type RunningSpireServer, startSpireServer } from "../support/spire-server.ts";

let running: RunningSpireServer;
let server: SpireServer;

beforeAll(async () => {
  running = await startSpireServer();
  server = connectSpireServer({ socketPath: running.socketPath, now: () => new Date() });
}, 60_000);

afterAll(async () => {
  server.close();
  await running.stop();
});

const nodeId = "spiffe://mesh.internal/weft/node/web1";

function entry(id: string, path: string, user = path, node = "web1"): RegistrationEntry {
  return {
    id: `weft.${id}`,
    spiffeId: `spiffe://mesh.internal/${path}`,
    parentId: `spiffe://mesh.internal/spire/agent/x509pop/${node}`,
    selectors: [{ type: "unix", value: `user:${user}` }],
  };
}

function byHand(...args: string[]): string {
  return execFileSync(running.binary, [...args, "-socketPath", running.socketPath], { encoding: "utf8" });
}

describe("the SPIRE server's configuration", () => {
  it("is valid to the server itself, which refuses a key it does not know", () => {
    const validate = (file: string) =>
      execFileSync(running.binary, ["validate", "-config", file], { encoding: "utf8", stdio: "pipe" });
    expect(validate(running.configFile)).toContain("is valid");
    const wrong = `${running.configFile}.wrong`;
    const text = readFileSync(running.configFile, "utf8");
    writeFileSync(wrong, text.replace("default_x509_svid_ttl", "default_svid_ttl"));
    expect(() => validate(wrong)).toThrow(/unknown/i);
  });
});

describe("minting", () => {
  it("gives an SVID for the request's key and name, which the bundle verifies", async () => {
    const { csrDer } = makeCsr(nodeId);
    const minted = await server.mintX509Svid({ csrDer, spiffeId: nodeId, ttlSeconds: 600 });
    const bundle = await server.bundle();
    expect(bundle.trustDomain).toBe("mesh.internal");
    expect(verifyX509Svid(minted.chain, bundle.roots, new Date())).toEqual({
      trustDomain: "mesh.internal",
      path: "/weft/node/web1",
    });
    const seconds = (minted.expires.getTime() - Date.now()) / 1000;
    expect(seconds).toBeGreaterThan(500);
    expect(seconds).toBeLessThanOrEqual(601);
    expect(readCertificate(minted.chain[0]!).uriSans).toEqual([nodeId]);
  });

  it("refuses a request for another name before the server sees it", async () => {
    const { csrDer } = makeCsr("spiffe://mesh.internal/weft/coordinator");
    await expect(server.mintX509Svid({ csrDer, spiffeId: nodeId, ttlSeconds: 600 })).rejects.toMatchObject({
      code: "WEFT-E206",
    });
  });

  it("passes on what the server refuses: SPIRE's own names", async () => {
    const spiffeId = "spiffe://mesh.internal/spire/server";
    const { csrDer } = makeCsr(spiffeId);
    await expect(server.mintX509Svid({ csrDer, spiffeId, ttlSeconds: 600 })).rejects.toMatchObject({
      code: "WEFT-E501",
    });
  });
});

describe("entries", () => {
  it("come, change and go with what is wanted; foreign ones stay and alarming ones are told", async () => {
    // biome-ignore format: one command
    byHand("entry", "create", "-spiffeID", "spiffe://mesh.internal/foreign", "-parentID",
      "spiffe://mesh.internal/other", "-selector", "unix:uid:7");
    // biome-ignore format: one command
    byHand("entry", "create", "-entryID", "sly", "-spiffeID", "spiffe://mesh.internal/spire-exchange/api1",
      "-parentID", "spiffe://mesh.internal/other", "-selector", "unix:uid:8");

    const first = await reconcileEntries(server, [entry("web", "web"), entry("api", "api")]);
    expect(first.diff.create.map(({ id }) => id)).toEqual(["weft.api", "weft.web"]);
    expect(first.failures).toEqual([]);
    expect(first.alarms.map(({ id }) => id)).toEqual(["sly"]);

    const again = await reconcileEntries(server, [entry("web", "web"), entry("api", "api")]);
    expect(isEmptyDiff(again.diff)).toBe(true);

    const changed = await reconcileEntries(server, [entry("web", "web", "www-data")]);
    expect(changed.diff).toMatchObject({ create: [], update: [{ id: "weft.web" }], delete: ["weft.api"] });
    expect(changed.failures).toEqual([]);
    const found = await server.listEntries();
    expect(found.find(({ id }) => id === "weft.web")?.selectors).toEqual([
      { type: "unix", value: "user:www-data" },
    ]);
    expect(found.map(({ spiffeId }) => spiffeId)).toContain("spiffe://mesh.internal/foreign");

    // biome-ignore format: one command
    byHand("entry", "update", "-entryID", "weft.web", "-spiffeID", "spiffe://mesh.internal/web", "-parentID",
      entry("web", "web").parentId, "-selector", "unix:user:www-data", "-admin");
    const mended = await reconcileEntries(server, [entry("web", "web", "www-data")]);
    expect(mended.alarms.map(({ id }) => id)).toEqual(["sly", "weft.web"]);
    expect(mended.diff.update.map(({ id }) => id)).toEqual(["weft.web"]);
    expect((await server.listEntries()).some(({ admin }) => admin)).toBe(false);

    const none = await reconcileEntries(server, []);
    expect(none.failures).toEqual([]);
    expect((await server.listEntries()).map(({ id }) => id.startsWith("weft."))).toEqual([false, false]);
  });

  it("for etcd keep their names in order, and are set back when somebody adds one", async () => {
    const wanted = [
      etcdMemberEntry("mesh.internal", "hub", "mesh.internal"),
      etcdClientEntry("mesh.internal", "web1"),
    ];
    const first = await reconcileEntries(server, wanted);
    expect(first.failures).toEqual([]);
    const own = async () => (await server.listEntries()).filter(({ id }) => id.includes(".etcd."));
    const asWanted = () => expect(own()).resolves.toMatchObject(wanted);
    await asWanted();
    const again = await reconcileEntries(server, wanted);
    expect(isEmptyDiff(again.diff)).toBe(true);
    expect(again.alarms.map(({ id }) => id)).not.toContain("weft.hub.etcd.member");

    const [member] = wanted;
    // biome-ignore format: one command
    byHand("entry", "update", "-entryID", member!.id, "-spiffeID", member!.spiffeId, "-parentID", member!.parentId,
      "-selector", "unix:user:web", "-dns", "hub.node.mesh.internal");
    // biome-ignore format: one command
    byHand("entry", "create", "-entryID", "named", "-spiffeID", "spiffe://mesh.internal/named", "-parentID",
      "spiffe://mesh.internal/other", "-selector", "unix:uid:9", "-dns", "web1.cilium.weft");
    const mended = await reconcileEntries(server, wanted);
    const alarms = mended.alarms.map(({ id }) => id).filter((id) => id !== "sly");
    expect(alarms).toEqual(["named", "weft.hub.etcd.member"]);
    await asWanted();
    byHand("entry", "delete", "-entryID", "named");
    await reconcileEntries(server, []);
    expect(await own()).toEqual([]);
  });

  it("are told one by one when the server refuses them", async () => {
    const bad = { ...entry("bad", "bad"), parentId: "spiffe://elsewhere.test/agent" };
    const { failures } = await reconcileEntries(server, [entry("good", "good"), bad]);
    expect(failures.map(({ id }) => id)).toEqual(["weft.bad"]);
    expect((await server.listEntries()).map(({ id }) => id)).toContain("weft.good");
  });

  it("are found on every page", async () => {
    const many = Array.from({ length: 620 }, (_, i) => entry(`n${i}`, `service-${i}`));
    const { failures } = await reconcileEntries(server, many);
    expect(failures).toEqual([]);
    const own = (await server.listEntries()).filter(({ id }) => id.startsWith("weft."));
    expect(own).toHaveLength(620);
    await reconcileEntries(server, []);
  }, 60_000);
});

describe("agents", () => {
  it("are none yet, and ending one that is not there is said, not thrown", async () => {
    expect(await server.listAgents()).toEqual([]);
    expect(await server.deleteAgent("spiffe://mesh.internal/spire/agent/x509pop/nobody")).toBe(false);
    expect(await server.banAgent("spiffe://mesh.internal/spire/agent/x509pop/nobody")).toBe(false);
  });
});

describe("a server that is away", () => {
  it("is found again within seconds after it is back, by the same client", async () => {
    const client = connectSpireServer({
      socketPath: running.socketPath,
      now: () => new Date(),
      deadlineMs: 500,
    });
    await client.bundle();
    await running.pause();
    // Long enough for the waits between two tries to grow to their limit.
    const away = Date.now() + 6_000;
    while (Date.now() < away) {
      await expect(client.bundle()).rejects.toMatchObject({ code: "WEFT-E501" });
      await new Promise((wake) => setTimeout(wake, 200));
    }
    await running.resume();
    const back = Date.now();
    for (;;) {
      try {
        await client.bundle();
        break;
      } catch (failure) {
        if (Date.now() - back > 3_000) throw failure;
        await new Promise((wake) => setTimeout(wake, 50));
      }
    }
    client.close();
  }, 30_000);

  it("is an error with a hint, not a hang", async () => {
    const absent = connectSpireServer({
      socketPath: `${running.socketPath}.absent`,
      now: () => new Date(),
      deadlineMs: 500,
    });
    await expect(absent.bundle()).rejects.toMatchObject({ code: "WEFT-E501" });
    absent.close();
  });
});
