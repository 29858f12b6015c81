// The machines of a lab behave like real ones: own users, resolvers, kernel rules and boots.
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "@jest/globals";
import { labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { waitFor } from "../../scripts/lab-src/wait.ts";
import { labProgress, useLab } from "../support/lab.ts";

const bootMs = 120_000;

// a socket filter that returns 0, loaded with the bare system call: perl is on every Debian
const loadBpfProgram = `
my $insns = pack("CCsl" x 2, 0xb7, 0, 0, 0, 0x95, 0, 0, 0);
my $licence = "GPL\\0";
my $attr = pack("LLQQ", 1, 2, unpack("Q", pack("P", $insns)), unpack("Q", pack("P", $licence))) . "\\0" x 96;
my $number = qx(uname -m) =~ /aarch64/ ? 280 : 321;
my $fd = syscall($number, 5, $attr, length $attr);
die "bpf: $!" if $fd < 0;
print "loaded\\n";
`;

async function eventually(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  await waitFor({ what, deadlineMs: 60_000 }, async () => ((await holds()) ? true : undefined));
}

const earlyRules = `table inet early {
  chain input {
    type filter hook input priority filter
    tcp dport 7000 reject
  }
}
`;
const earlyUnit = `[Unit]
DefaultDependencies=no
Before=network-pre.target
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/early.nft
[Install]
WantedBy=sysinit.target
`;
const listenerUnit = `[Unit]
DefaultDependencies=no
After=local-fs.target
[Service]
ExecStart=/usr/bin/nc -lk 7000
[Install]
WantedBy=sysinit.target
`;

describe("a lab of machines", () => {
  const lab = useLab("machines");
  const out = async (machine: string, ...argv: [string, ...string[]]) =>
    (await lab.run(machine, argv)).trim();
  const bootId = (machine: string) => out(machine, "cat", "/proc/sys/kernel/random/boot_id");
  const reaches = async (from: string, to: string) =>
    (await lab.exec(from, ["ping", "-c1", "-W2", to])).code === 0;

  it("is four running systemd machines in one network of both address families", async () => {
    const machines = await lab.status();
    expect(machines.map(({ name, state }) => `${name} ${state}`)).toEqual(
      ["hub", "web1", "api1", "rogue"].map((name) => `${name} running`),
    );
    for (const to of ["hub", "web1", "api1", "rogue"]) {
      expect(await reaches("rogue", lab.address(to))).toBe(true);
      expect(await reaches("rogue", lab.address6(to))).toBe(true);
    }
    expect(await out("web1", "hostname")).toBe("web1");
  });

  it("is left alone by a second up", async () => {
    const before = await Promise.all(["hub", "web1"].map(bootId));
    await labUp(labNames(lab.name), 0, labProgress);
    expect(await Promise.all(["hub", "web1"].map(bootId))).toEqual(before);
  });

  it("has users web and mallory on web1 and api on api1, and runs commands as them", async () => {
    const web = await out("web1", "id", "-u", "web");
    const mallory = await out("web1", "id", "-u", "mallory");
    expect(Number(web)).toBeGreaterThan(100);
    expect(mallory).not.toBe(web);
    expect(await lab.exec("web1", ["id", "-u"], { user: "mallory" })).toEqual({
      code: 0,
      stdout: `${mallory}\n`,
      stderr: "",
    });
    await expect(lab.exec("api1", ["true"], { user: "mallory" })).rejects.toMatchObject({
      code: "WEFT-E001",
    });
  });

  it("passes input, output and exit codes, and nothing of the caller's environment", async () => {
    const script = "cat; echo err >&2; exit 7";
    expect(await lab.exec("hub", ["sh", "-c", script], { input: "in" })).toEqual({
      code: 7,
      stdout: "in",
      stderr: "err\n",
    });
    expect(await out("hub", "env")).not.toContain("NODE_");
    expect((await lab.exec("hub", ["sh", "-c", "kill -TERM $$"])).code).toBe(143);
  });

  it("kills a command that takes too long, inside the machine too", async () => {
    expect((await lab.exec("hub", ["sleep", "4711"], { timeoutMs: 300 })).code).toBe(124);
    expect((await lab.exec("hub", ["pgrep", "-f", "sleep 4711"])).code).toBe(1);
  });

  it("streams the lines of a long-running command until it is stopped", async () => {
    const prober = await lab.spawn("hub", [
      "sh",
      "-c",
      "i=0; while sleep 0.02; do i=$((i+1)); echo tick $i; done",
    ]);
    expect(await prober.waitForLine((line) => line === "tick 3", 20_000)).toBe("tick 3");
    await prober.stop();
    expect(prober.lines.slice(0, 3)).toEqual(["tick 1", "tick 2", "tick 3"]);
    await expect(prober.waitForLine((line) => line === "never", 20_000)).rejects.toMatchObject({
      code: "WEFT-E005",
    });
  });

  it("writes files with their mode, whole, through links of the machine", async () => {
    await lab.writeFile("hub", "/etc/new/deep/file", "text\n", 0o640);
    expect(await out("hub", "stat", "-c", "%a %U", "/etc/new/deep/file")).toBe("640 root");
    await lab.copyIn("hub", process.execPath, "/opt/program", 0o755);
    const { stdout } = await lab.exec("hub", ["sha256sum", "/opt/program"]);
    const here = await lab.exec("rogue", ["sha256sum"], { input: await readFile(process.execPath) });
    expect(stdout.split(" ")[0]).toBe(here.stdout.split(" ")[0]);
  });

  it("resolves public names on both kinds of resolver, and keeps a log of what was asked outside", async () => {
    expect(await out("web1", "cat", "/etc/resolv.conf")).toBe("nameserver 10.77.0.53");
    expect(await out("web1", "systemctl", "is-enabled", "systemd-resolved").catch(() => "masked")).toBe(
      "masked",
    );
    expect(await out("api1", "readlink", "/etc/resolv.conf")).toBe("../run/systemd/resolve/stub-resolv.conf");
    expect(await out("api1", "systemctl", "is-active", "systemd-resolved")).toBe("active");
    for (const machine of ["web1", "api1"]) {
      expect(await out(machine, "getent", "ahostsv4", "www.example.test")).toContain("192.0.2.80");
      expect((await lab.exec(machine, ["getent", "hosts", `${machine}.leak.internal`])).code).toBe(2);
    }
    expect(await lab.upstreamQueries()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: "web1.leak.internal", from: lab.address("web1") }),
        expect.objectContaining({ name: "api1.leak.internal", from: lab.address("api1") }),
      ]),
    );
  });

  it("runs hardened units, nftables and BPF as a real machine does", async () => {
    const hardening = ["DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "PrivateTmp=yes"];
    const unit = [...hardening, "AmbientCapabilities=CAP_NET_ADMIN", "StateDirectory=lab-test"];
    const properties = unit.map((property) => `--property=${property}`);
    const script = "id -u && touch $STATE_DIRECTORY/x && ! touch /etc/x && nft add table inet by-unit";
    const result = await lab.exec("hub", [
      "systemd-run",
      "--wait",
      "--pipe",
      "-q",
      ...properties,
      "sh",
      "-c",
      script,
    ]);
    expect(result).toMatchObject({ code: 0 });
    expect(Number(result.stdout.trim())).toBeGreaterThan(60_000);
    expect(await out("hub", "nft", "list", "tables")).toBe("table inet by-unit");
    expect(await out("rogue", "nft", "list", "tables")).toBe("");
    expect(await out("hub", "perl", "-e", loadBpfProgram)).toBe("loaded");
    expect(await out("hub", "stat", "-f", "-c", "%T", "/sys/fs/bpf")).toBe("bpf_fs");
    expect(await out("hub", "stat", "-f", "-c", "%T", "/sys/fs/cgroup")).toBe("cgroup2fs");
  });

  it.each(["reboot", "crash"] as const)(
    "loses kernel rules and keeps files and journal over a %s",
    async (kind) => {
      await lab.run("web1", ["nft", "add", "table", "inet", "old"]);
      await lab.run("web1", ["sysctl", "-qw", "net.ipv4.ip_local_reserved_ports=8080"]);
      await lab.writeFile("web1", "/etc/kept", kind);
      await lab.run("web1", ["systemd-run", "--wait", "-q", "--unit=before-boot", "echo", `before ${kind}`]);
      await lab.run("web1", ["journalctl", "--sync"]);
      const before = await bootId("web1");
      await lab[kind]("web1");
      expect(await bootId("web1")).not.toBe(before);
      expect(await out("web1", "nft", "list", "tables")).toBe("");
      expect(await out("web1", "sysctl", "-n", "net.ipv4.ip_local_reserved_ports")).toBe("");
      expect(await lab.readFile("web1", "/etc/kept")).toBe(kind);
      expect(await out("web1", "journalctl", "-b", "-1", "-u", "before-boot", "-o", "cat")).toContain(
        `before ${kind}`,
      );
      expect(await reaches("hub", lab.address("web1"))).toBe(true);
    },
    bootMs,
  );

  it(
    "remakes the network namespace when the machine itself asks for a reboot",
    async () => {
      await lab.run("web1", ["nft", "add", "table", "inet", "old"]);
      const before = await bootId("web1");
      await lab.run("web1", ["systemctl", "reboot", "--no-block"]);
      await eventually("the reboot of web1", async () => {
        // until it is down it may still answer, or be half gone
        const now = await lab.exec("web1", ["cat", "/proc/sys/kernel/random/boot_id"]).catch(() => undefined);
        return now?.code === 0 && now.stdout.trim() !== before;
      });
      expect(await out("web1", "nft", "list", "tables")).toBe("");
    },
    bootMs,
  );

  it(
    "cuts and heals a machine's network, and a cut outlasts a reboot",
    async () => {
      await lab.cut("api1");
      expect(await reaches("hub", lab.address("api1"))).toBe(false);
      await lab.reboot("api1");
      expect(await reaches("hub", lab.address6("api1"))).toBe(false);
      await lab.heal("api1");
      await eventually("the way to api1", () => reaches("hub", lab.address("api1")));
    },
    bootMs,
  );

  it(
    "has no address before network-pre.target: rules loaded there are in force from the first packet",
    async () => {
      await lab.writeFile("web1", "/etc/early.nft", earlyRules);
      await lab.writeFile("web1", "/etc/systemd/system/early-rules.service", earlyUnit);
      await lab.writeFile("web1", "/etc/systemd/system/listener.service", listenerUnit);
      await lab.run("web1", ["systemctl", "enable", "-q", "early-rules", "listener"]);
      const probe = `while :; do nc -z -w1 ${lab.address("web1")} 7000 && echo open || echo closed; done`;
      const answersOverBoot = async () => {
        const prober = await lab.spawn("hub", ["sh", "-c", probe]);
        await lab.crash("web1");
        await prober.waitForLine((line) => line === "closed", 30_000);
        const seen = prober.lines.length;
        await eventually("a probe after the boot", () => prober.lines.length > seen + 20);
        await prober.stop();
        return prober.lines;
      };
      expect(await answersOverBoot()).not.toContain("open");
      // the proof can fail: without the early unit the port answers
      await lab.run("web1", ["systemctl", "disable", "-q", "early-rules"]);
      expect(await answersOverBoot()).toContain("open");
    },
    bootMs,
  );
});
