// The host's resolver taken over and given back on real systemd machines, by the DNS part of the agent alone: web1 and
// rogue have a plain resolv.conf, api1 systemd-resolved. CoreDNS, getent and the upstream server are real.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "@jest/globals";
import type {
  DesiredContent,
  DesiredDns,
  DnsMode,
  DnsRecord,
} from "../../packages/shared/src/model/desired.ts";
import type { Command } from "../../scripts/lab-src/lab.ts";
import { emptyContent } from "../support/desired.ts";
import { useLab } from "../support/lab.ts";

const root = resolve(import.meta.dirname, "../..");
const lab = useLab("dns");
const zone = "mesh.internal";
const records: readonly DnsRecord[] = [
  { name: `web1.node.${zone}`, type: "A", value: "10.77.0.11" },
  { name: `api1.node.${zone}`, type: "A", value: "10.77.0.12" },
  { name: `rogue.node.${zone}`, type: "A", value: "10.77.0.66" },
  { name: `api.${zone}`, type: "A", value: "10.77.0.12" },
  { name: `api.${zone}`, type: "A", value: "10.77.0.13" },
];
const machines = ["web1", "rogue", "api1"] as const;
const driver = ["/opt/weft/lib/node", "/opt/weft/dns-driver.mjs"] as const;
const agentUnit = join(root, "packages/node-agent/systemd/weft-node-agent.service");

/** The agent's own sandbox around the driver: what its unit forbids must not be needed. */
const sandboxed: Command = [
  "systemd-run",
  "--pipe",
  "--wait",
  "--quiet",
  "--collect",
  ...readFileSync(agentUnit, "utf8")
    .split("\n")
    .filter((line) =>
      /^(Capab|NoNew|Protect|ReadWrite|Private|Restrict[A-Z]|Lock|Keyring|System|UMask|State)\w*=/.test(line),
    )
    .flatMap((line) => ["-p", line]),
  ...driver,
];

interface Outcome {
  readonly decision: { readonly mode: string; readonly why: string };
  readonly end: string;
  readonly steps: readonly { readonly step: string; readonly result: string; readonly detail: string }[];
  readonly conditions: readonly { readonly code: string; readonly detail: string }[];
}

function wanted(machine: string, mode: DnsMode, dns: Partial<DesiredDns> = {}): DesiredContent {
  const base = emptyContent(machine, lab.address(machine));
  return { ...base, dns: { zone, mode, upstreams: [], records, ...dns } };
}

async function drive(machine: string, verb: string, content?: DesiredContent): Promise<unknown> {
  const output = await lab.run(machine, [...sandboxed, verb], { input: JSON.stringify(content ?? null) });
  return JSON.parse(output);
}

async function converge(machine: string, mode: DnsMode, dns: Partial<DesiredDns> = {}): Promise<Outcome> {
  return (await drive(machine, "converge", wanted(machine, mode, dns))) as Outcome;
}

async function lookup(machine: string, name: string): Promise<string[]> {
  const result = await lab.exec(machine, ["getent", "ahostsv4", name], { timeoutMs: 30_000 });
  return [...new Set(result.stdout.split("\n").map((line) => line.split(/\s/)[0] ?? ""))]
    .filter((line) => line !== "")
    .sort();
}

/** Type, mode, owner, target and content of everything in /etc, and every link and unit of ours. */
async function snapshot(machine: string): Promise<string> {
  const script = [
    "find /etc -path /etc/weft -prune -o -printf '%p %y %m %U:%G %l\\n' | sort",
    "find /etc -path /etc/weft -prune -o -type f -print0 | sort -z | xargs -0 sha256sum",
    "ip -br link | sed 's/[@ ].*//'",
    "systemctl is-enabled weft-dns; systemctl is-active weft-dns; true",
  ];
  return await lab.run(machine, ["sh", "-c", script.join("; ")]);
}

async function until(what: string, deadlineMs: number, holds: () => Promise<boolean>): Promise<number> {
  const began = performance.now();
  for (;;) {
    if (await holds()) return performance.now() - began;
    if (performance.now() - began > deadlineMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function mainPid(machine: string): Promise<string> {
  const pid = (await lab.run(machine, ["systemctl", "show", "-p", "MainPID", "--value", "weft-dns"])).trim();
  // a signal to "0" would hit the shell that sends it
  if (!/^[1-9]\d*$/.test(pid)) throw new Error(`weft-dns is not running on ${machine}`);
  return pid;
}
const sh = (machine: string, script: string) => lab.run(machine, ["sh", "-c", script] as Command);

async function expectNamesResolve(machine: string): Promise<void> {
  expect(await lookup(machine, `${machine}.node.${zone}`)).toEqual([lab.address(machine)]);
  expect(await lookup(machine, `api.${zone}`)).toEqual(["10.77.0.12", "10.77.0.13"]);
  expect(await lookup(machine, "www.example.test")).toEqual(["192.0.2.80"]);
  expect(await lookup(machine, `nobody.${zone}`)).toEqual([]);
}

const before = new Map<string, string>();

beforeAll(async () => {
  const scratch = await mkdtemp(join(tmpdir(), "weft-dns-"));
  try {
    const bundle = join(scratch, "driver.mjs");
    const entry = join(root, "test/support/dns-driver.ts");
    const flags = ["--bundle", "--platform=node", "--format=esm", "--log-level=error", `--outfile=${bundle}`];
    execFileSync(join(root, "node_modules/.bin/esbuild"), [entry, ...flags]);
    const coredns = execFileSync(join(root, "scripts/components"), ["--path", "coredns"], {
      encoding: "utf8",
    }).trim();
    const unit = join(root, "packages/node-agent/systemd/weft-dns.service");
    for (const machine of machines) {
      // weft-dns runs as a user of its own and must get through
      await sh(machine, "umask 022; mkdir -p /opt/weft/lib /opt/weft/components");
      await lab.copyIn(machine, process.execPath, driver[0], 0o755);
      await lab.copyIn(machine, bundle, driver[1]);
      await lab.copyIn(machine, coredns, "/opt/weft/components/coredns", 0o755);
      await lab.copyIn(machine, unit, "/etc/systemd/system/weft-dns.service");
      await sh(machine, "systemctl daemon-reload");
      before.set(machine, await snapshot(machine));
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}, 300_000);

describe("a plain resolv.conf (web1)", () => {
  it("is left alone unless the mesh file asks for it, with the zone served beside", async () => {
    const outcome = await converge("web1", "auto");
    expect(outcome).toMatchObject({ end: "done", decision: { mode: "off" } });
    expect(outcome.conditions).toEqual([
      { code: "DNS_NOT_TAKEN", detail: expect.stringContaining("-> plain-file") },
    ]);
    expect(await lab.readFile("web1", "/etc/resolv.conf")).toBe("nameserver 10.77.0.53\n");
    expect(await lookup("web1", `api.${zone}`)).toEqual([]);
    await converge("web1", "off");
    expect(await snapshot("web1")).toBe(before.get("web1"));
  }, 60_000);

  it("is taken over in file mode: private, public and unknown names are answered as they should be", async () => {
    const outcome = await converge("web1", "file");
    expect(outcome.steps.filter((step) => step.result !== "done")).toEqual([]);
    expect(outcome.conditions).toEqual([]);
    await expectNamesResolve("web1");
    expect(await converge("web1", "file")).toMatchObject({ steps: [] });
  }, 60_000);

  it("never asks the upstream for a private name", async () => {
    const asked = (await lab.upstreamQueries()).length;
    await lookup("web1", `nobody.${zone}`);
    await lookup("web1", `api.${zone}`);
    const names = (await lab.upstreamQueries()).slice(asked).map((query) => query.name);
    expect(names.filter((name) => name.includes(zone))).toEqual([]);
  }, 30_000);

  it("shows a changed zone within 3 s, without a restart", async () => {
    const pid = await mainPid("web1");
    await converge("web1", "file", {
      records: [...records, { name: `new.${zone}`, type: "A", value: "10.77.0.14" }],
    });
    const took = await until(
      "new name",
      10_000,
      async () => (await lookup("web1", `new.${zone}`)).length === 1,
    );
    expect(took).toBeLessThan(3000);
    expect(await mainPid("web1")).toBe(pid);
    await converge("web1", "file");
  }, 60_000);

  it("lets public names through while CoreDNS is stopped", async () => {
    await sh("web1", "systemctl stop weft-dns");
    const began = performance.now();
    expect(await lookup("web1", "www.example.test")).toEqual(["192.0.2.80"]);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(await lookup("web1", `api.${zone}`)).toEqual([]);
    expect(await converge("web1", "file")).toMatchObject({ end: "done", steps: [{ step: "enableUnit" }] });
    await until("names again", 10_000, async () => (await lookup("web1", `api.${zone}`)).length === 2);
  }, 60_000);

  it("kills a CoreDNS that hangs, and says so until it answers", async () => {
    const pid = await mainPid("web1");
    await sh("web1", `kill -STOP ${pid}`);
    const seen = (await drive("web1", "watch", wanted("web1", "file"))) as Pick<Outcome, "conditions">[];
    expect(seen.flatMap((check) => check.conditions)).toContainEqual({
      code: "DNS_DOWN",
      detail: expect.stringContaining("killed"),
    });
    expect(seen.at(-1)).toMatchObject({ report: { state: "in-force" }, conditions: [] });
    expect(await mainPid("web1")).not.toBe(pid);
    await expectNamesResolve("web1");
  }, 60_000);

  it.each(["reboot", "crash"] as const)(
    "resolves after a %s with no agent at all",
    async (how) => {
      await lab[how]("web1");
      await until(
        "names after the boot",
        15_000,
        async () => (await lookup("web1", `api.${zone}`)).length === 2,
      );
      await expectNamesResolve("web1");
      expect(await converge("web1", "file")).toMatchObject({ steps: [] });
    },
    120_000,
  );

  it("is not fought over when somebody else writes it, and left to them", async () => {
    await sh(
      "web1",
      "printf 'nameserver 10.77.0.53\\nsearch corp.example\\n' >/etc/resolv.conf.new; mv /etc/resolv.conf.new /etc/resolv.conf",
    );
    const outcome = await converge("web1", "file");
    expect(outcome.steps).toEqual([]);
    expect(outcome.conditions).toEqual([{ code: "DNS_DRIFTED", detail: expect.any(String) }]);
    expect(await drive("web1", "give")).toMatchObject({ kind: "left" });
    expect(await lab.readFile("web1", "/etc/resolv.conf")).toBe(
      "nameserver 10.77.0.53\nsearch corp.example\n",
    );
    await sh("web1", "printf 'nameserver 10.77.0.53\\n' >/etc/resolv.conf");
  }, 60_000);

  it("is given back byte for byte", async () => {
    await converge("web1", "file");
    expect(await snapshot("web1")).not.toBe(before.get("web1"));
    await converge("web1", "off");
    expect(await snapshot("web1")).toBe(before.get("web1"));
    expect(await lookup("web1", "www.example.test")).toEqual(["192.0.2.80"]);
  }, 60_000);

  it("is not touched when CoreDNS cannot start", async () => {
    await sh(
      "web1",
      "mv /opt/weft/components/coredns /opt/weft/coredns.away; printf '#!/bin/false\\n' >/opt/weft/components/coredns; chmod 755 /opt/weft/components/coredns",
    );
    try {
      const outcome = await converge("web1", "file");
      expect(outcome.end).toBe("reverted");
      expect(await snapshot("web1")).toBe(before.get("web1"));
    } finally {
      await sh("web1", "mv /opt/weft/coredns.away /opt/weft/components/coredns");
    }
  }, 60_000);
});

describe("other plain files (rogue)", () => {
  it.each([
    [
      "a link to a file elsewhere",
      "printf 'nameserver 10.77.0.53\\n' >/etc/resolv.site; ln -sfn resolv.site /etc/resolv.conf",
    ],
    ["no file at all", "rm /etc/resolv.conf"],
    [
      "bytes, mode and owner that nobody expects",
      "printf 'nameserver 10.77.0.53\\n#\\377\\000\\r\\noptions rotate' >/etc/resolv.conf; chown 12:34 /etc/resolv.conf; chmod 604 /etc/resolv.conf",
    ],
  ])(
    "are given back as they were: %s",
    async (_what, script) => {
      await sh("rogue", `cp -a /etc/resolv.conf /run/resolv.conf; ${script}`);
      try {
        const odd = await snapshot("rogue");
        const upstreams = ["fd77::53"];
        const outcome = await converge("rogue", "file", { upstreams });
        expect(outcome.steps.filter((step) => step.result !== "done")).toEqual([]);
        await expectNamesResolve("rogue");
        await converge("rogue", "off", { upstreams });
        expect(await snapshot("rogue")).toBe(odd);
      } finally {
        await sh("rogue", "rm -f /etc/resolv.conf /etc/resolv.site; cp -a /run/resolv.conf /etc/resolv.conf");
      }
    },
    60_000,
  );

  it("are left alone when mounted from outside", async () => {
    await sh("rogue", "cp /etc/resolv.conf /run/r; mount --bind /run/r /etc/resolv.conf");
    try {
      const outcome = await converge("rogue", "file");
      expect(outcome.conditions).toEqual([
        { code: "DNS_NOT_TAKEN", detail: expect.stringContaining("mount of its own") },
      ]);
    } finally {
      await sh("rogue", "umount /etc/resolv.conf");
    }
    await converge("rogue", "off");
  }, 60_000);
});

describe("systemd-resolved (api1)", () => {
  it("is asked to route the zone, and /etc/resolv.conf is not touched", async () => {
    const resolvConf = await lab.run("api1", ["readlink", "/etc/resolv.conf"]);
    const outcome = await converge("api1", "auto");
    expect(outcome.steps.filter((step) => step.result !== "done")).toEqual([]);
    expect(outcome).toMatchObject({ decision: { mode: "resolved-link" }, conditions: [] });
    expect(await lab.run("api1", ["readlink", "/etc/resolv.conf"])).toBe(resolvConf);
    await expectNamesResolve("api1");
    expect(await converge("api1", "auto")).toMatchObject({ steps: [] });
  }, 60_000);

  it("sends private names to us alone, and public names past us", async () => {
    const asked = (await lab.upstreamQueries()).length;
    await sh("api1", "resolvectl flush-caches");
    await lookup("api1", `nobody2.${zone}`);
    expect(await lookup("api1", "www.example.test")).toEqual(["192.0.2.80"]);
    const names = (await lab.upstreamQueries()).slice(asked).map((query) => query.name);
    expect(names.filter((name) => name.includes(zone))).toEqual([]);
    expect(names.some((name) => name.includes("www.example.test"))).toBe(true);
  }, 30_000);

  it("shows a changed zone within 3 s", async () => {
    await converge("api1", "auto", {
      records: [...records, { name: `new.${zone}`, type: "A", value: "10.77.0.14" }],
    });
    const took = await until(
      "new name",
      10_000,
      async () => (await lookup("api1", `new.${zone}`)).length === 1,
    );
    expect(took).toBeLessThan(3000);
    await converge("api1", "auto");
  }, 60_000);

  it("answers public names at once while CoreDNS is stopped or hangs", async () => {
    for (const signal of ["STOP", "stop"]) {
      await sh("api1", signal === "stop" ? "systemctl stop weft-dns" : `kill -STOP ${await mainPid("api1")}`);
      await sh("api1", "resolvectl flush-caches");
      const began = performance.now();
      expect(await lookup("api1", "www.example.test")).toEqual(["192.0.2.80"]);
      expect(performance.now() - began).toBeLessThan(2000);
      if (signal === "STOP") await sh("api1", `kill -CONT ${await mainPid("api1")}`);
    }
    await converge("api1", "auto");
    await until("names again", 10_000, async () => (await lookup("api1", `api.${zone}`)).length === 2);
  }, 60_000);

  it("keeps the route when systemd-resolved restarts", async () => {
    await sh("api1", "systemctl restart systemd-resolved");
    await until("names again", 10_000, async () => (await lookup("api1", `api.${zone}`)).length === 2);
    expect(await converge("api1", "auto")).toMatchObject({ steps: [] });
  }, 60_000);

  it("gets its link again after a reboot", async () => {
    await lab.reboot("api1");
    expect(await drive("api1", "check", wanted("api1", "auto"))).toMatchObject({ repair: true });
    expect(await converge("api1", "auto")).toMatchObject({ end: "done", steps: [{ step: "takeResolver" }] });
    await expectNamesResolve("api1");
  }, 120_000);

  it("never lets the link's address become the source of a packet", async () => {
    expect(await lab.run("api1", ["ip", "-4", "route", "get", "10.77.0.53"])).toContain("src 10.77.0.12");
    expect(await lab.run("api1", ["ip", "-4", "-br", "addr", "show", "dev", "weft-dns0"])).toContain(
      "192.0.0.8/32",
    );
  }, 30_000);

  it("is given back without a trace", async () => {
    await converge("api1", "off");
    expect(await snapshot("api1")).toBe(before.get("api1"));
    expect(await lookup("api1", "www.example.test")).toEqual(["192.0.2.80"]);
    expect(await lookup("api1", `api.${zone}`)).toEqual([]);
  }, 60_000);
});

it("leaves every machine as it was", async () => {
  for (const machine of machines) expect(await snapshot(machine)).toBe(before.get(machine));
}, 60_000);
