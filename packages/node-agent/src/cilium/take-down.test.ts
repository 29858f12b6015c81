import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { dropInFile } from "@weft/shared/render/cilium-places";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { takeDownCilium } from "./take-down.ts";

const [api, web] = ["shop-api.service", "web.service"];
const netns = ["weft-netns@api.service", "weft-netns@web.service"];

let host: FakeHost;
let scripts: string[];

beforeEach(async () => {
  host = new FakeHost();
  scripts = [];
  host.exec.programs.set("nft", (_args, { input = "" }) => {
    scripts.push(input);
    host.units.calls.push("nft");
    return {};
  });
  for (const unit of [api, web]) {
    await host.files.write(dropInFile(unit), "[Service]\n");
    host.units.states.set(unit, { active: "active", enabled: true, exists: true });
  }
  for (const unit of ["weft-cilium.service", ...netns])
    host.units.states.set(unit, { active: "active", enabled: unit === "weft-cilium.service", exists: true });
  await host.files.write("/etc/weft/cilium/agent.d/kvstore", "etcd");
  await host.files.write("/etc/weft/cilium/etcd.yaml", "{}");
  await host.files.write("/etc/weft/cilium/started", "bpf 1\n");
  await host.files.write("/etc/weft/cilium/endpoints/api", "LINK=lxc1\n");
  await host.files.write("/etc/weft/cilium/endpoints/web", "LINK=lxc2\n");
  // of somebody else, whatever its name
  await host.files.write("/run/netns/weft-lab.x", "");
});
afterEach(() => host.dispose());

describe("taking Cilium down", () => {
  it("brings services back before anything they stand on goes", async () => {
    expect(await takeDownCilium(host)).toMatch(/machine's own network/);
    expect(host.units.calls).toEqual([
      "reload",
      "nft",
      ...[`restart ${api}`, `restart ${web}`],
      ...["disable weft-cilium.service", "stop weft-cilium.service"],
      "start weft-cilium-down.service",
      ...netns.map((unit) => `stop ${unit}`),
      "reload",
    ]);
    expect(scripts).toEqual(["add table ip weft_endpoints\ndelete table ip weft_endpoints\n"]);
    expect(await host.files.list("/etc/systemd/system")).toEqual([]);
    expect(await host.files.list("/etc/weft")).toEqual([]);
  });

  it("does nothing where nothing of it is", async () => {
    await takeDownCilium(host);
    host.units.calls.length = 0;
    expect(await takeDownCilium(host)).toBeUndefined();
    expect(host.units.calls).toEqual([]);
  });

  it("does not start what was stopped, and keeps what others put beside its files", async () => {
    host.units.states.set(web, { active: "inactive", enabled: false, exists: true });
    await host.files.write(`/etc/systemd/system/${web}.d/10-own.conf`, "[Service]\n");
    await host.files.write("/etc/weft/cilium/etcd-ca.pem", "CA");
    await takeDownCilium(host);
    expect(host.units.calls).not.toContain(`restart ${web}`);
    expect(await host.files.list(`/etc/systemd/system/${web}.d`)).toEqual(["10-own.conf"]);
    expect(await host.files.list("/etc/weft/cilium")).toEqual(["etcd-ca.pem"]);
  });

  it("tries every part, names what failed, and can be run again", async () => {
    host.units.broken.add(api);
    host.units.broken.add("weft-cilium-down.service");
    await expect(takeDownCilium(host)).rejects.toMatchObject({
      code: "WEFT-E004",
      message: `Cilium is not taken down whole: restarting ${api}, cleaning the kernel`,
    });
    expect(host.units.calls).toEqual(expect.arrayContaining(netns.map((unit) => `stop ${unit}`)));
    expect(await host.files.list("/etc/weft/cilium")).toContain("agent.d");
    host.units.broken.delete("weft-cilium-down.service");
    // the service is broken by itself, and in the machine's own network
    expect(await takeDownCilium(host)).toMatch(/machine's own network/);
    expect(await host.files.list("/etc/weft")).toEqual([]);
  });

  it("takes nothing from under services that systemd still knows by their namespaces, and moves them the next time", async () => {
    const { reload } = host.units;
    host.units.reload = () => Promise.reject(new Error("systemd does not answer"));
    await expect(takeDownCilium(host)).rejects.toThrow("systemd does not answer");
    expect(host.units.calls).toEqual([]);
    host.units.reload = reload;
    await takeDownCilium(host);
    expect(host.units.calls.slice(0, 4)).toEqual(["reload", "nft", `restart ${api}`, `restart ${web}`]);
  });
});
