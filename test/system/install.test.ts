// The release goes onto a machine and off again; the units it brings do what they say.
import { beforeAll, describe, expect, it } from "@jest/globals";
import { sealScript } from "../../packages/node-agent/src/policy/sealed-script.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { useLab } from "../support/lab.ts";

const units = [
  "weft-node-agent",
  "weft-restore",
  "weft-dns",
  "weft-etcd",
  "spire-agent",
  "weft-coordinator",
  "spire-server",
];
const policy = "/var/lib/weft/policy/confirmed.nft";
const table = `table inet weft
delete table inet weft
table inet weft {
  chain input {
    type filter hook input priority filter; policy accept;
    tcp dport 7777 reject
  }
}
`;

describe("install.sh", () => {
  const lab = useLab("install");
  const sh = (machine: string, script: string) => lab.exec(machine, ["/bin/sh", "-c", script]);
  const install = (machine: string, args: string) => sh(machine, `/var/tmp/release/install.sh ${args}`);
  const files = (machine: string) =>
    sh(
      machine,
      "find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/log \\) -prune -o -print | sort; getent passwd; getent group",
    );
  let before: string;

  beforeAll(async () => {
    const { weft, components } = findArtefacts();
    before = (await files("rogue")).stdout;
    for (const machine of ["hub", "rogue"]) {
      await lab.copyIn(machine, weft, "/var/tmp/weft.tar.gz");
      await lab.copyIn(machine, components, "/var/tmp/parts.tar");
      await sh(
        machine,
        "mkdir /var/tmp/release && tar -xzf /var/tmp/weft.tar.gz -C /var/tmp/release --strip-components=1",
      );
    }
  }, 900_000);

  it("refuses components that this release does not name, and puts none of them in place", async () => {
    await sh(
      "rogue",
      "cp /var/tmp/parts.tar /var/tmp/bad.tar && printf x | dd of=/var/tmp/bad.tar bs=1 seek=5000000 conv=notrunc",
    );
    const { code, stderr } = await install("rogue", "agent --components /var/tmp/bad.tar");
    expect(stderr).toContain("not one this release accepts");
    expect(stderr).toContain("(WEFT-E301)");
    expect(code).toBe(1);
    expect((await sh("rogue", "ls -A /opt/weft/components")).stdout).toBe("");
  }, 120_000);

  it("installs an agent, is idempotent, goes on after being killed, and leaves nothing behind", async () => {
    expect((await install("rogue", "agent --components /var/tmp/parts.tar")).code).toBe(0);
    const installed = (await files("rogue")).stdout;
    expect(installed).toContain("/usr/local/bin/weft-node-agent\n");
    expect(installed).not.toContain("/usr/local/bin/weft\n");
    // as a run leaves it that was killed between its two renames
    await sh("rogue", "mv /opt/weft /opt/.weft-old && mkdir /opt/.weft-new");
    const again = await install("rogue", "agent --from /var/tmp/weft.tar.gz");
    expect(again.stdout).toContain("is already in /opt/weft");
    expect(again.code).toBe(0);
    expect((await files("rogue")).stdout).toBe(installed);
    const removed = await sh("rogue", "/opt/weft/install.sh uninstall");
    expect(removed.stderr).toBe("");
    expect((await files("rogue")).stdout).toBe(before);
  }, 180_000);

  it("installs a coordinator whose units are sound", async () => {
    const { code, stdout } = await install("hub", "coordinator --components /var/tmp/parts.tar");
    expect(stdout).toContain("next: weft init");
    expect(code).toBe(0);
    const names = units.map((unit) => `${unit}.service`).join(" ");
    const verified = await sh("hub", `cd /etc/systemd/system && systemd-analyze verify ${names} 2>&1`);
    expect(verified.stdout).toBe("");
    // systemd's own measure: 0 is sealed, 10 is open
    for (const unit of units.filter((name) => name !== "weft-restore")) {
      const { stdout: said } = await sh(
        "hub",
        `systemd-analyze security --no-pager ${unit}.service | tail -n 1`,
      );
      expect(Number(/: (\d+\.\d)/.exec(said)?.[1])).toBeLessThan(3);
    }
  }, 120_000);

  it("loads the confirmed policy at boot, and again whenever nftables.service is restarted or reloaded", async () => {
    await sh("hub", "systemctl enable --quiet nftables.service weft-restore.service");
    await lab.writeFile("hub", policy, sealScript(table), 0o600);
    await lab.reboot("hub");
    const present = async () => (await sh("hub", "nft list table inet weft")).code === 0;
    expect(await present()).toBe(true);
    const order = await sh(
      "hub",
      "systemctl show -p ActiveEnterTimestampMonotonic --value nftables weft-restore network-pre.target | grep .",
    );
    const times = order.stdout.trim().split("\n").map(Number);
    expect(times).toHaveLength(3);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
    for (const verb of ["restart", "reload"]) {
      await sh("hub", `nft delete table inet weft; systemctl ${verb} nftables.service`);
      // systemctl waits for the job it asked for; ours comes right behind it
      await sh("hub", 'while [ -n "$(systemctl list-jobs --no-legend)" ]; do sleep 0.01; done');
      expect(await present()).toBe(true);
    }
  }, 120_000);
});
