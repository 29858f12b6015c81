// What the leader of the mesh's own etcd does for all, and each member for itself, with the real programs: the heartbeat,
// what nobody needs any more, a quota that is used up, copies.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { visibleConditions } from "../../packages/shared/src/model/condition.ts";
import type { DesiredEtcdCluster } from "../../packages/shared/src/model/desired-etcd.ts";
import { EtcdCluster } from "../support/etcd-cluster.ts";
import { findEtcdPrograms } from "../support/etcd-programs.ts";
import { eventually } from "../support/eventually.ts";

const programs = findEtcdPrograms();
const described = programs === undefined ? describe.skip : describe;

const identities = "cilium/state/identities/v1";
const addresses = "cilium/state/ip/v1/default";

described("duties in the mesh's own etcd (needs etcd, or WEFT_ETCD_DIR)", () => {
  let cluster: EtcdCluster;
  let desired: DesiredEtcdCluster;

  beforeEach(async () => {
    if (programs === undefined) return;
    cluster = new EtcdCluster(programs);
    desired = cluster.desired(["hub"], [["api1", ["10.42.12.0", "10.42.12.1", "10.42.12.2", "10.42.12.3"]]]);
    await cluster.prepare("hub");
  });
  afterEach(() => cluster.dispose());

  const started = async (quota?: number) => {
    await cluster.start("hub", quota === undefined ? {} : { quota });
    return await cluster.settle("hub", desired);
  };
  const put = (key: string, value = "1") => cluster.admin("hub", "put", key, value);
  const ids = () => cluster.keys("hub", `${identities}/id/`);
  const textOf = (key: string) => cluster.admin("hub", "get", key, "--print-value-only");

  it("writes the heartbeat every minute", async () => {
    await started();
    const before = await textOf("cilium/.heartbeat");
    await cluster.nextRound("hub", desired);
    const after = await textOf("cilium/.heartbeat");
    expect(after).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    const passed = Date.parse(after) - Date.parse(before);
    expect(passed).toBeGreaterThanOrEqual(60_000);
  }, 60_000);

  it("deletes an identity that was unused for as long as a lease lives, and no other", async () => {
    await started();
    await put(`${identities}/id/300`, "spiffe:id=gone;");
    await put(`${identities}/id/301`, "spiffe:id=here;");
    await put(`${identities}/value/spiffe:id=here;/10.77.0.10`, "301");
    await put(`${identities}/id/302`, "spiffe:id=back;");
    await put(`${identities}/id/303`, "spiffe:id=anew;");
    await cluster.nextRound("hub", desired);
    await cluster.nextRound("hub", desired, 14);
    expect(await ids()).toHaveLength(4);
    // one is used again, another was made again
    await put(`${identities}/value/spiffe:id=back;/10.77.0.10`, "302");
    await put(`${identities}/id/303`, "spiffe:id=anew;");
    await cluster.nextRound("hub", desired, 2);
    expect(await ids()).toEqual([301, 302, 303].map((id) => `${identities}/id/${id}`));
    // used between two rounds, and free again: its time begins anew
    await cluster.admin("hub", "del", `${identities}/value/spiffe:id=back;/10.77.0.10`);
    await cluster.nextRound("hub", desired, 16);
    expect(await ids()).toEqual([301, 302].map((id) => `${identities}/id/${id}`));
    await cluster.nextRound("hub", desired, 16);
    expect(await ids()).toEqual([`${identities}/id/301`]);
  }, 60_000);

  it("deletes a lock that nobody gave back", async () => {
    await started();
    await put(`${identities}/locks/spiffe:id=a;/1f`);
    await put("cilium/.initlock/12/1f");
    await cluster.nextRound("hub", desired, 16);
    await put("cilium/.initlock/13/2f");
    await cluster.nextRound("hub", desired, 16);
    expect(await cluster.keys("hub", "cilium/.initlock/")).toEqual(["cilium/.initlock/13/2f"]);
    expect(await cluster.keys("hub", `${identities}/locks/`)).toEqual([]);
  }, 60_000);

  it("deletes at once what is of no client, and a range that passes for an address", async () => {
    await started();
    await put(`${addresses}/10.42.12.1`);
    await put(`${addresses}/10.77.0.10`);
    for (const text of ["10.42.12.4", "10.42.12.1/8", "10.42.12.0/30", "10.42.12.01", "x"])
      await put(`${addresses}/${text}`);
    await put("cilium/state/nodes/v1/weft-test/api1");
    await put("cilium/state/nodes/v1/weft-test/old1");
    await put("cilium/state/nodes/v1/default/api1");
    await put(`${identities}/value/spiffe:id=a;/10.77.0.10`, "300");
    await put(`${identities}/value/spiffe:id=a;/10.77.0.99`, "300");
    await cluster.nextRound("hub", desired);
    expect(await cluster.keys("hub", `${addresses}/`)).toEqual([
      `${addresses}/10.42.12.1`,
      `${addresses}/10.77.0.10`,
    ]);
    expect(await cluster.keys("hub", `${identities}/value/`)).toEqual([
      `${identities}/value/spiffe:id=a;/10.77.0.10`,
    ]);
    expect(await cluster.keys("hub", "cilium/state/nodes/")).toEqual([
      "cilium/state/nodes/v1/weft-test/api1",
    ]);
  }, 60_000);

  it("leaves everything to another who leads, and takes over when that one is gone", async () => {
    await started();
    const mine = await textOf("weft/leader");
    expect(mine).toMatch(/^hub\/[0-9a-f]+$/);
    await cluster.admin("hub", "lease", "revoke", mine.replace("hub/", ""));
    await put("weft/leader", "other/1f");
    await put(`${addresses}/10.9.9.9`);
    const beat = await textOf("cilium/.heartbeat");
    await cluster.nextRound("hub", desired);
    expect(await cluster.keys("hub", `${addresses}/`)).toEqual([`${addresses}/10.9.9.9`]);
    expect(await textOf("cilium/.heartbeat")).toBe(beat);
    await cluster.admin("hub", "del", "weft/leader");
    await cluster.nextRound("hub", desired);
    expect(await textOf("weft/leader")).toMatch(/^hub\//);
    expect(await cluster.keys("hub", `${addresses}/`)).toEqual([]);
  }, 60_000);

  it("deletes nothing once another leads, in the middle of a round either", async () => {
    await started();
    const [, lease = ""] = (await textOf("weft/leader")).split("/");
    await put(`${addresses}/10.9.9.9`);
    await put(`${addresses}/10.9.9.8`);
    let deletions = 0;
    cluster.before = async (_, input) => {
      if (!input.includes("\ndel ")) return;
      deletions += 1;
      if (deletions > 1) return;
      await cluster.admin("hub", "lease", "revoke", lease);
      await put("weft/leader", `hub/${lease}`);
    };
    await cluster.nextRound("hub", desired);
    expect(deletions).toBe(2);
    expect(await cluster.keys("hub", `${addresses}/`)).toHaveLength(2);
  }, 60_000);

  it("leaves to the next look what takes long: others wait for it", async () => {
    await started();
    await put(`${addresses}/10.9.9.9`);
    await put(`${addresses}/10.9.9.8`);
    cluster.before = (_, input) => {
      if (input.includes("\ndel ")) cluster.ahead += 10_001;
    };
    await cluster.nextRound("hub", desired);
    expect(await cluster.keys("hub", `${addresses}/`)).toHaveLength(1);
    await cluster.keep("hub", desired);
    expect(await cluster.keys("hub", `${addresses}/`)).toEqual([]);
  }, 60_000);

  it("goes on leading after the agent was started again", async () => {
    await started();
    const before = await cluster.admin("hub", "get", "weft/leader", "-w", "json");
    const leaderOf = (text: string) => /"create_revision":\d+/.exec(text)?.[0];
    cluster.anew("hub");
    expect((await cluster.settle("hub", desired)).isOpen).toBe(true);
    expect(leaderOf(await cluster.admin("hub", "get", "weft/leader", "-w", "json"))).toBe(leaderOf(before));
  }, 60_000);

  it("cures a quota that is used up by what was overwritten; a client may not end the alarm", async () => {
    await started(16 * 2 ** 20);
    await cluster.fill("hub", "cilium/state/x", 1);
    expect(await cluster.admin("hub", "alarm", "list")).toContain("NOSPACE");
    await expect(put("cilium/y")).rejects.toThrow(/database space exceeded/);
    const { code, stderr } = await cluster.ctl("hub", cluster.client("api1"), ["alarm", "disarm"]);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining("permission denied") });
    const { findings } = await cluster.nextRound("hub", desired);
    expect(findings).toEqual([]);
    expect(await cluster.admin("hub", "alarm", "list")).toBe("");
    await put("cilium/y");
    expect(cluster.lines).toContainEqual(expect.stringMatching(/^hub: etcd: its quota was used up/));
  }, 60_000);

  it("says that a quota is used up where nothing can be freed", async () => {
    await started(16 * 2 ** 20);
    // what defragmenting gives back is less each time
    const { findings } = await eventually(
      "an alarm that stands",
      async () => {
        await cluster.fill("hub", `cilium/state/${cluster.ahead}`, 1000);
        const standing = await cluster.nextRound("hub", desired);
        return standing.findings.length > 0 && standing;
      },
      40_000,
    );
    expect(await cluster.admin("hub", "alarm", "list")).toContain("NOSPACE");
    expect(findings[0]?.detail).toMatch(/^NOSPACE: \d+ bytes of/);
    expect(visibleConditions(findings).map(({ code }) => code)).toEqual(["ETCD_ALARM"]);
    // rewriting a database takes it away from everybody: not tried again before the next round
    let calls = 0;
    cluster.before = () => {
      calls += 1;
    };
    await cluster.keep("hub", desired);
    expect(calls).toBe(0);
  }, 60_000);

  it("copies everything once a day, the last three, for root alone; a copy is restored by etcdutl", async () => {
    await started();
    await put("cilium/state/kept", "yes");
    await cluster.nextRound("hub", desired);
    const folder = cluster.backups("hub");
    expect(readdirSync(folder)).toHaveLength(1);
    for (let day = 0; day < 4; day++) await cluster.nextRound("hub", desired, 24 * 60);
    const copies = readdirSync(folder).sort();
    expect(copies).toHaveLength(3);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of copies) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);

    await put("cilium/state/kept", "no");
    await cluster.kill("hub");
    cluster.restore("hub", join(folder, copies[2] ?? ""));
    await cluster.start("hub");
    const { isOpen, findings } = await cluster.settle("hub", desired);
    expect({ isOpen, findings }).toEqual({ isOpen: true, findings: [] });
    expect(await textOf("cilium/state/kept")).toBe("yes");
    const mine = await cluster.ctl("hub", cluster.client("api1"), ["put", `${addresses}/10.42.12.1`, "1"]);
    expect(mine.stdout).toBe("OK\n");
    expect((await cluster.ctl("hub", cluster.client("api1"), ["put", "cilium/x", "1"])).stderr).toContain(
      "permission denied",
    );
  }, 60_000);
});
