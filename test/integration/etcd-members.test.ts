// Members of the mesh's own etcd, with the real programs: three from the beginning, one lost, one added, one taken out, and
// the duties go on with whoever leads.
import { readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { DesiredEtcdCluster } from "../../packages/shared/src/model/desired-etcd.ts";
import { EtcdCluster } from "../support/etcd-cluster.ts";
import { findEtcdPrograms } from "../support/etcd-programs.ts";
import { eventually } from "../support/eventually.ts";

const programs = findEtcdPrograms();
const described = programs === undefined ? describe.skip : describe;

described("members of the mesh's own etcd (needs etcd, or WEFT_ETCD_DIR)", () => {
  let cluster: EtcdCluster;
  beforeEach(() => {
    if (programs !== undefined) cluster = new EtcdCluster(programs);
  });
  afterEach(() => cluster.dispose());

  const wish = (...members: string[]): DesiredEtcdCluster =>
    cluster.desired(members, [["api1", ["10.42.12.0", "10.42.12.1", "10.42.12.2", "10.42.12.3"]]]);
  const rows = async (node: string) => (await cluster.admin(node, "member", "list")).split("\n");
  const leader = async (node: string) =>
    (await cluster.admin(node, "get", "weft/leader", "--print-value-only")).split("/");
  const beat = (node: string) => cluster.admin(node, "get", "cilium/.heartbeat", "--print-value-only");

  it("three: one is killed while it leads, and another goes on", async () => {
    const names = ["a", "b", "c"];
    for (const name of names) await cluster.prepare(name);
    await Promise.all(
      names.map((name) => cluster.start(name, { beside: names.filter((other) => other !== name) })),
    );
    const desired = wish(...names);
    const standings = await Promise.all(names.map((name) => cluster.settle(name, desired)));
    expect(standings.map(({ isOpen }) => isOpen)).toEqual([true, true, true]);
    const [first = "", lease = ""] = await leader("a");
    expect(names).toContain(first);
    const [other = "", third = ""] = names.filter((name) => name !== first);

    await cluster.kill(first);
    // what passes in three minutes without its node
    await eventually(
      "a new leader of etcd itself",
      () => cluster.tryAdmin(other, "lease", "revoke", lease),
      20_000,
    );
    const before = await beat(other);
    const { isOpen, findings } = await eventually(
      `${other} leads`,
      async () => {
        const standing = await cluster.nextRound(other, desired);
        return (await leader(other))[0] === other && standing;
      },
      30_000,
    );
    expect(isOpen).toBe(true);
    expect(findings).toEqual([
      { code: "ETCD_DOWN", detail: `the member of ${first} does not answer, or is not well` },
    ]);
    expect(await beat(other)).not.toBe(before);
    expect((await cluster.nextRound(third, desired)).findings).toEqual([]);

    // etcd's own leader need not be the node that leads
    const row = (await rows(other)).find((text) => text.includes(`, ${third}, `)) ?? "";
    await cluster.tryAdmin(other, "move-leader", row.split(",")[0] ?? "");
    expect(await cluster.admin(third, "endpoint", "status")).toContain(", true, false,");

    // gone for good: another takes its place, and learns before it votes
    await cluster.prepare("d");
    const replaced = wish(other, third, "d");
    await cluster.nextRound(other, replaced);
    expect(await rows(other)).toHaveLength(2);
    await cluster.keep(other, replaced);
    expect((await rows(other)).filter((row) => row.includes(", true"))).toHaveLength(1);
    expect((await cluster.keep(other, replaced)).findings).toEqual([
      { code: "ETCD_DOWN", detail: "the member of d was added and has not caught up yet" },
    ]);
    await cluster.start("d", { beside: [other, third], state: "existing" });
    expect(await cluster.keep("d", replaced)).toEqual({ isOpen: false, findings: [] });
    await cluster.settle(other, replaced);
    expect((await rows(other)).filter((row) => row.includes(", false"))).toHaveLength(3);
    expect((await cluster.settle("d", replaced)).isOpen).toBe(true);
  }, 120_000);

  it("from one to three and back: one change a time, a copy before each", async () => {
    for (const name of ["a", "b", "c"]) await cluster.prepare(name);
    await cluster.start("a");
    await cluster.settle("a", wish("a"));
    const three = wish("a", "b", "c");
    await cluster.keep("a", three);
    expect(await rows("a")).toHaveLength(2);
    await cluster.keep("a", three);
    expect(await rows("a")).toHaveLength(2);
    await cluster.start("b", { beside: ["a"], state: "existing" });
    await eventually(
      "c is added",
      async () => {
        await cluster.keep("a", three);
        return (await rows("a")).length === 3;
      },
      30_000,
    );
    await cluster.start("c", { beside: ["a", "b"], state: "existing" });
    expect((await cluster.settle("a", three)).findings).toEqual([]);
    expect((await rows("a")).filter((row) => row.includes(", false"))).toHaveLength(3);

    const two = wish("a", "b");
    await cluster.settle("a", two);
    expect(await rows("a")).toHaveLength(2);
    expect(await cluster.admin("a", "user", "list")).not.toContain("c.node");
    expect(readdirSync(cluster.backups("a"))).toHaveLength(3);
    expect((await cluster.settle("b", two)).findings).toEqual([]);
  }, 120_000);
});
