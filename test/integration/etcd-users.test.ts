// From an empty etcd to one where everybody may do just what is theirs, with the real programs: who is a user, what a
// client may write, and what it may not.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { LinuxExec } from "../../packages/node-agent/src/host/linux-exec.ts";
import type { DesiredEtcdCluster } from "../../packages/shared/src/model/desired-etcd.ts";
import { renderEtcdConfig } from "../../packages/shared/src/render/cilium-agent-options.ts";
import type { SvidFiles } from "../../packages/shared/src/render/etcd-places.ts";
import { EtcdCluster } from "../support/etcd-cluster.ts";
import { findEtcdPrograms } from "../support/etcd-programs.ts";

const ciliumDirectory = process.env["WEFT_CILIUM_DIR"];
const programs = findEtcdPrograms();
const described = programs === undefined ? describe.skip : describe;

const denied = /permission denied/;
const nodes = "cilium/state/nodes/v1/weft-test";
const addresses = "cilium/state/ip/v1/default";
const identities = "cilium/state/identities/v1";

described("users of the mesh's own etcd (needs etcd, or WEFT_ETCD_DIR)", () => {
  let cluster: EtcdCluster;
  let desired: DesiredEtcdCluster;
  let api1: SvidFiles;
  let web1: SvidFiles;

  beforeAll(async () => {
    if (programs === undefined) return;
    cluster = new EtcdCluster(programs);
    desired = cluster.desired(
      ["hub"],
      [
        ["api1", ["10.42.12.0", "10.42.12.63"]],
        ["web1", ["10.42.13.1"]],
      ],
    );
    api1 = cluster.client("api1");
    web1 = cluster.client("web1");
    await cluster.prepare("hub");
    await cluster.start("hub");
  }, 60_000);
  afterAll(() => cluster.dispose());

  const as = async (svid: SvidFiles, ...args: readonly string[]) => {
    const { code, stderr } = await cluster.ctl("hub", svid, args);
    return code === 0 ? "done" : (/^Error: (.*)$/m.exec(stderr)?.[1] ?? stderr);
  };

  it("is open when authentication is enabled, and not before", async () => {
    expect(await cluster.admin("hub", "auth", "status")).toContain("false");
    const { isOpen, findings } = await cluster.settle("hub", desired);
    expect({ isOpen, findings }).toEqual({ isOpen: true, findings: [] });
    expect(await cluster.admin("hub", "auth", "status")).toContain("true");
    expect((await cluster.admin("hub", "user", "list")).split("\n").sort()).toEqual([
      "api1.cilium.weft",
      "hub.node.mesh.internal",
      "root",
      "web1.cilium.weft",
    ]);
  }, 60_000);

  it.each([
    ["its own node", `${nodes}/api1`],
    ["the address of an endpoint", `${addresses}/10.42.12.0`],
    ["the address of another endpoint", `${addresses}/10.42.12.63`],
    ["its own address", `${addresses}/10.77.0.10`],
    ["an identity", `${identities}/id/4711`],
    ["a reference to it", `${identities}/value/spiffe:id=abc;/10.77.0.10`],
    ["a lock", `${identities}/locks/spiffe:id=abc;/1234`],
    ["the lock it tries etcd with", "cilium/.initlock/ab12/1234"],
  ])("a client may write and delete %s", async (_, key) => {
    expect(await as(api1, "put", key, "1")).toBe("done");
    expect(await as(api1, "get", key)).toBe("done");
    expect(await as(api1, "del", key)).toBe("done");
  });

  it.each([
    ["another node", `${nodes}/web1`],
    ["a node below its own", `${nodes}/api1/x`],
    ["a node whose name begins like its own", `${nodes}/api12`],
    ["a node of another cluster", "cilium/state/nodes/v1/other/api1"],
    ["an address that no endpoint of it has", `${addresses}/10.42.12.1`],
    ["an address that begins like one of its own", `${addresses}/10.42.12.630`],
    ["a range that begins in its own", `${addresses}/10.42.12.0/0`],
    ["another's address", `${addresses}/10.42.13.1`],
    ["another node's own address", `${addresses}/10.77.0.11`],
    ["the heartbeat", "cilium/.heartbeat"],
    ["the leader", "weft/leader"],
    ["what is no kind of key for identities", `${identities}/x`],
    ["anything else", "cilium/state/services/v1/x"],
  ])("a client may not write %s", async (_, key) => {
    expect(await as(api1, "put", key, "1")).toMatch(denied);
    expect(await as(api1, "del", key)).toMatch(denied);
  });

  it.each([
    ["see who leads", ["get", "weft/leader"]],
    ["see everything", ["get", "--prefix", ""]],
    ["see users", ["user", "list"]],
    ["make itself a user", ["user", "add", "mallory", "--no-password"]],
    ["give itself a role", ["user", "grant-role", "api1.cilium.weft", "root"]],
    ["see another's role", ["role", "get", "web1.cilium.weft"]],
    ["give its role more", ["role", "grant-permission", "api1.cilium.weft", "write", "cilium/.heartbeat"]],
    ["end authentication", ["auth", "disable"]],
    ["add a member", ["member", "add", "x", "--peer-urls=https://localhost:1"]],
    ["take a copy", ["snapshot", "save", "/tmp/weft-etcd-stolen.db"]],
    ["defragment", ["defrag"]],
    ["compact", ["compact", "1"]],
  ])("a client may not %s", async (_, args) => {
    expect(await as(api1, ...args)).toMatch(/permission denied/);
  });

  (ciliumDirectory === undefined ? it.skip : it)(
    "Cilium's own client of etcd, with its locks and watches, works as such a user (needs WEFT_CILIUM_DIR)",
    async () => {
      const config = join(cluster.folder, "client.json");
      const etcd = { members: [cluster.clientUrl("hub")], ca: api1.bundle, ...api1 };
      writeFileSync(config, renderEtcdConfig(etcd));
      const dbg = async (...args: readonly string[]) => {
        const flags = ["--kvstore", "etcd", "--kvstore-opt", `etcd.config=${config}`];
        const program = join(ciliumDirectory ?? "", "cilium-dbg");
        const { code, stdout, stderr } = await new LinuxExec().run(program, ["kvstore", ...args, ...flags], {
          allow: [0, 1, 255],
          timeoutMs: 60_000,
        });
        return { code, said: `${stdout}${stderr}` };
      };
      const own = `${addresses}/10.42.12.7`;
      expect(await dbg("set", own, "--key", own, "--value", "x")).toMatchObject({ code: 0 });
      expect((await dbg("get", own)).said).toContain("x");
      expect((await dbg("set", "--key", `${addresses}/10.42.13.7`, "--value", "x")).said).toMatch(denied);
      expect(await dbg("delete", own)).toMatchObject({ code: 0 });
    },
    120_000,
  );

  it("a client sees what all clients say", async () => {
    expect(await as(web1, "put", `${nodes}/web1`, "here")).toBe("done");
    expect((await cluster.ctl("hub", api1, ["get", `${nodes}/web1`, "--print-value-only"])).stdout).toBe(
      "here\n",
    );
  });

  it("a certificate of the same authority without a common name is refused everything", async () => {
    const service = cluster.certificate("api", []);
    // at the handshake (etcd-settings.test.ts), so that etcdctl tries till its time is over
    for (const args of [
      ["get", "cilium/.heartbeat"],
      ["put", `${nodes}/api1`, "1"],
    ])
      expect(await as(service, "--command-timeout=2s", ...args)).toMatch(/deadline exceeded/);
    expect(cluster.log("hub")).toContain("rejected connection");
  });

  it("a name that is no user is refused everything", async () => {
    const stranger = cluster.certificate("stranger", ["old1.cilium.weft", "clients.weft"]);
    expect(await as(stranger, "get", "cilium/.heartbeat")).toMatch(/permission denied|user name not found/);
    expect(await as(stranger, "put", `${nodes}/api1`, "1")).toMatch(/permission denied|user name not found/);
  });

  it("what somebody changed by hand is as it was at the next round", async () => {
    await cluster.admin(
      "hub",
      "role",
      "grant-permission",
      "api1.cilium.weft",
      "readwrite",
      "cilium/",
      "cilium0",
    );
    await cluster.admin("hub", "role", "grant-permission", "api1.cilium.weft", "write", "cilium/.heartbeat");
    await cluster.admin("hub", "user", "grant-role", "web1.cilium.weft", "api1.cilium.weft");
    await cluster.admin("hub", "user", "add", "mallory", "--no-password");
    await cluster.admin("hub", "user", "grant-role", "mallory", "root");
    await cluster.admin("hub", "role", "add", "more");
    await cluster.nextRound("hub", desired);
    expect(await as(api1, "put", "cilium/.heartbeat", "1")).toMatch(denied);
    expect(await as(api1, "put", `${nodes}/web1`, "1")).toMatch(denied);
    expect(await as(web1, "put", `${nodes}/api1`, "1")).toMatch(denied);
    expect(await cluster.admin("hub", "user", "list")).not.toContain("mallory");
    expect(await cluster.admin("hub", "role", "list")).not.toContain("more");
    await cluster.settle("hub", desired);
    expect(await as(api1, "put", `${nodes}/api1`, "1")).toBe("done");
  });

  it("a client that is none any more may do nothing, and its keys are gone; another address is given", async () => {
    expect(await as(web1, "put", `${addresses}/10.42.13.1`, "1")).toBe("done");
    const less = cluster.desired(["hub"], [["api1", ["10.42.14.1"]]]);
    await cluster.settle("hub", less);
    expect(await as(web1, "get", `${nodes}/api1`)).toMatch(/permission denied|user name not found/);
    expect(await as(web1, "put", `${nodes}/web1`, "1")).toMatch(/permission denied|user name not found/);
    expect(await as(api1, "put", `${addresses}/10.42.12.1`, "1")).toMatch(denied);
    expect(await as(api1, "put", `${addresses}/10.42.14.1`, "1")).toBe("done");
    expect(await cluster.keys("hub", `${nodes}/`)).toEqual([`${nodes}/api1`]);
    expect(await cluster.keys("hub", `${addresses}/`)).toEqual([`${addresses}/10.42.14.1`]);
  }, 60_000);

  it("authentication that somebody disabled is enabled again", async () => {
    await cluster.admin("hub", "auth", "disable");
    const less = cluster.desired(["hub"], [["api1", ["10.42.14.1"]]]);
    expect((await cluster.nextRound("hub", less)).isOpen).toBe(true);
    expect(await cluster.admin("hub", "auth", "status")).toContain("true");
  });

  it("does next to nothing when nothing is to do", async () => {
    const less = cluster.desired(["hub"], [["api1", ["10.42.14.1"]]]);
    const standing = await cluster.settle("hub", less);
    await cluster.kill("hub");
    expect(await cluster.keep("hub", less)).toBe(standing);
    const later = await cluster.nextRound("hub", less);
    expect(later.isOpen).toBe(true);
    expect(later.findings).toMatchObject([
      { code: "ETCD_DOWN", detail: expect.stringMatching(/refused or cannot be reached: /) },
    ]);
    await cluster.start("hub");
    expect((await cluster.settle("hub", less)).findings).toEqual([]);
  }, 60_000);
});
