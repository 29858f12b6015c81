import { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { etcdUnit } from "@weft/shared/render/etcd-places";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { places, unitNames } from "../state/places.ts";
import type { CommandContext } from "./context.ts";
import { runLeave } from "./leave.ts";

let host: FakeHost;
let lines: string[];
let hasTable: boolean;
let nftRefuses: boolean;

beforeEach(async () => {
  host = new FakeHost();
  lines = [];
  hasTable = true;
  nftRefuses = false;
  host.exec.programs.set("nft", (args) => {
    if (args[0] === "-j")
      return hasTable
        ? { stdout: '{"nftables":[]}' }
        : { code: 1, stderr: "Error: No such file or directory" };
    if (nftRefuses) return { code: 1, stderr: "Error: Operation not permitted" };
    hasTable = false;
    return {};
  });
  host.exec.programs.set("ip", () => ({ code: 0, stdout: "[]" }));
  host.exec.programs.set("/bin/sh", () => ({}));
  host.exec.programs.set("systemctl", () => ({}));
  for (const unit of [...[unitNames.agent, unitNames.restore, unitNames.dns, unitNames.spireAgent], etcdUnit])
    host.units.states.set(unit, { active: "active", enabled: true, exists: true });
  await host.files.write("/etc/resolv.conf", "nameserver 192.0.2.53\n");
  await host.files.write(places.confirmedPolicy, "rules");
  await host.files.write(places.spireConfig, "{}");
  await host.files.write("/etc/weft/etcd/etcd.json", "{}");
  await host.files.write("/var/lib/weft/etcd-backups/1", "");
});
afterEach(() => host.dispose());

function context(changes: Partial<CommandContext> = {}): CommandContext {
  return {
    host,
    terminal: {
      out: (line) => void lines.push(line),
      err: (line) => void lines.push(line),
      input: Readable.from([]),
      questions: new Writable({ write: (_chunk, _encoding, done) => done() }),
      interactive: false,
    },
    version: "1",
    isRoot: true,
    signal: new AbortController().signal,
    ...changes,
  };
}

describe("leave", () => {
  it("stops, gives back and removes everything, and says each thing", async () => {
    expect(await runLeave(context(), { yes: true })).toBe(0);
    expect(hasTable).toBe(false);
    for (const { active, enabled } of host.units.states.values())
      expect([active, enabled]).toEqual(["inactive", false]);
    expect(await host.files.list("/var/lib")).toEqual([]);
    expect(await host.files.list("/etc")).toEqual(["resolv.conf"]);
    expect(lines.at(-1)).toBe("this machine is as it was before it joined");
  });

  it("brings services back out of their namespaces, and takes Cilium down", async () => {
    await host.files.write("/etc/weft/cilium/agent.d/kvstore", "etcd");
    await host.files.write("/etc/systemd/system/web.service.d/50-weft-endpoint.conf", "[Service]\n");
    host.units.states.set("web.service", { active: "active", enabled: true, exists: true });
    expect(await runLeave(context(), { yes: true })).toBe(0);
    const { calls } = host.units;
    expect(calls.indexOf(`stop ${unitNames.agent}`)).toBeLessThan(calls.indexOf("restart web.service"));
    expect(calls).toContain("start weft-cilium-down.service");
    expect(await host.files.list("/etc/systemd/system")).toEqual([]);
  });

  it("leaves the machine's floor: it is root's own", async () => {
    await host.files.write("/etc/weft/floor.yaml", "weft-floor: v1");
    await host.files.write("/etc/weft/spire/agent.json", "{}");
    expect(await runLeave(context(), { yes: true })).toBe(0);
    expect(await host.files.list("/etc/weft")).toEqual(["floor.yaml"]);
  });

  it("tries every part, and keeps its records and programs while something is left to undo", async () => {
    nftRefuses = true;
    await expect(runLeave(context(), { yes: true })).rejects.toMatchObject({
      message: "not everything could be undone: removing the rules",
    });
    expect((await host.units.state(unitNames.spireAgent)).active).toBe("inactive");
    expect(await host.files.readText(places.confirmedPolicy)).toBe("rules");
    nftRefuses = false;
    expect(await runLeave(context(), { yes: true })).toBe(0);
    expect(await host.files.list("/var/lib")).toEqual([]);
  });

  it("is done at once where there is nothing to undo", async () => {
    await runLeave(context(), { yes: true });
    expect(await runLeave(context(), { yes: true })).toBe(0);
  });

  it("refuses on the coordinator's machine, and then leaves its folders and programs", async () => {
    host.units.states.set(unitNames.coordinator, { active: "active", enabled: true, exists: true });
    await expect(runLeave(context(), { yes: false })).rejects.toMatchObject({ code: "WEFT-E101" });
    expect(hasTable).toBe(true);
    await host.files.write("/etc/weft/mesh.yaml", "weft: v1");
    await host.files.write(places.installer, "#!/bin/sh");
    expect(await runLeave(context(), { yes: true })).toBe(0);
    expect(await host.files.list("/etc/weft")).toEqual(["mesh.yaml"]);
    expect(host.exec.calls.filter((call) => call.startsWith("/bin/sh"))).toEqual([]);
  });

  it("changes nothing without an answer, and nothing for anybody but root", async () => {
    await expect(runLeave(context(), { yes: false })).rejects.toMatchObject({ code: "WEFT-E001" });
    await expect(runLeave(context({ isRoot: false }), { yes: true })).rejects.toMatchObject({
      code: "WEFT-E006",
    });
    expect(hasTable).toBe(true);
  });
});
