import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { etcdPlaces, etcdUnit, memberSvidFiles } from "@weft/shared/render/etcd-places";
import { peerUrlOf, renderEtcdSettings } from "@weft/shared/render/etcd-settings";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { takeDownEtcd } from "./take-down.ts";

const etcdctl = "/opt/weft/components/etcdctl";
const member = { node: "hub", address: "10.77.0.10", name: "hub.node.mesh.internal" };
const lineOf = (id: string, node: string) =>
  `${id}, started, ${node}, https://${node}.node.mesh.internal:2380, https://${node}.node.mesh.internal:2379, false\n`;

let host: FakeHost;
let listed: string;
let removes: () => { code?: number; stderr?: string };

beforeEach(async () => {
  host = new FakeHost();
  listed = lineOf("a1", "hub") + lineOf("b2", "db");
  removes = () => ({});
  host.exec.programs.set(etcdctl, (args) => {
    host.units.calls.push(args.slice(args.indexOf("member")).join(" ").replace(/ --.*/, ""));
    return args.includes("remove") ? removes() : { stdout: listed };
  });
  host.exec.programs.set("systemctl", (args) => {
    host.units.calls.push(args.join(" "));
    return {};
  });
  host.units.states.set(etcdUnit, { active: "active", enabled: true, exists: true });
  const beginning = { members: [{ name: member.name, peerUrl: peerUrlOf(member.name) }], isNew: false };
  const ground = { member, mesh: "shop", zone: "mesh.internal", beginning, isOpen: true };
  await host.files.write(etcdPlaces.settings, renderEtcdSettings(ground));
  await host.files.write(memberSvidFiles.certificate, "certificate");
});
afterEach(() => host.dispose());

const gone = [
  ...[`disable ${etcdUnit}`, `stop ${etcdUnit}`],
  ...[`reset-failed -- ${etcdUnit}`, `clean --what=state -- ${etcdUnit}`],
];

describe("taking a member down", () => {
  it("has the others let it go before it stops, and leaves nothing", async () => {
    expect(await takeDownEtcd(host, false)).toMatch(/its data is gone/);
    expect(host.units.calls).toEqual(["member list", "member remove a1", ...gone]);
    expect(host.exec.calls.find((call) => call.includes("remove"))).toContain(
      "--endpoints=https://db.node.mesh.internal:2379 ",
    );
    expect(await host.files.list("/etc/weft")).toEqual([]);
    expect(await takeDownEtcd(host, false)).toBeUndefined();
  });

  it.each([
    ["the last one", () => lineOf("a1", "hub")],
    ["one that the others have removed", () => lineOf("b2", "db")],
  ])("asks nobody to let %s go", async (_what, list) => {
    listed = list();
    await takeDownEtcd(host, false);
    expect(host.units.calls).toEqual(["member list", ...gone]);
  });

  it("waits for the others, unless it is hurried", async () => {
    removes = () => ({ code: 1, stderr: "etcdserver: unhealthy cluster" });
    await expect(takeDownEtcd(host, false)).rejects.toMatchObject({
      code: "WEFT-E004",
      why: "etcdserver: unhealthy cluster",
    });
    expect((await host.units.state(etcdUnit)).active).toBe("active");
    expect(await takeDownEtcd(host, true)).toMatch(/its data is gone/);
    expect((await host.units.state(etcdUnit)).active).toBe("inactive");
  });

  it("goes on where it does not run, or never did", async () => {
    host.units.states.set(etcdUnit, { active: "failed", enabled: true, exists: true });
    await takeDownEtcd(host, false);
    expect(host.units.calls).toEqual(gone);
    await host.files.write(memberSvidFiles.certificate, "certificate");
    host.units.states.delete(etcdUnit);
    host.units.calls.length = 0;
    await takeDownEtcd(host, false);
    expect(host.units.calls).toEqual([]);
    expect(await host.files.list("/etc/weft")).toEqual([]);
  });
});
