// The host's resolver taken over and given back on real systemd machines, by the DNS part of the agent alone: web1 and
// rogue have a plain resolv.conf, api1 systemd-resolved. CoreDNS, getent and the upstream server are real.
import { beforeAll, describe, expect, it } from "@jest/globals";
import { DnsMachines, type Outcome, records, until, zone } from "../support/dns-machines.ts";
import { useLab } from "../support/lab.ts";

const machines = ["web1", "rogue", "api1"] as const;
const lab = useLab("dns");
const dns = new DnsMachines(lab);
const before = new Map<string, string>();

beforeAll(async () => {
  await dns.install(machines);
  for (const machine of machines) before.set(machine, await dns.snapshot(machine));
}, 300_000);

async function expectNamesResolve(machine: string): Promise<void> {
  expect(await dns.lookup(machine, `${machine}.node.${zone}`)).toEqual([lab.address(machine)]);
  expect(await dns.lookup(machine, `api.${zone}`)).toEqual(["10.77.0.12", "10.77.0.13"]);
  expect(await dns.lookup(machine, "www.example.test")).toEqual(["192.0.2.80"]);
  expect(await dns.lookup(machine, `nobody.${zone}`)).toEqual([]);
}

describe("a plain resolv.conf (web1)", () => {
  it("is left alone unless the mesh file asks for it, with the zone served beside", async () => {
    const outcome = await dns.converge("web1", "auto");
    expect(outcome).toMatchObject({ end: "done", decision: { mode: "off" } });
    expect(outcome.conditions).toEqual([
      { code: "DNS_NOT_TAKEN", detail: expect.stringContaining("-> plain-file") },
    ]);
    expect(await lab.readFile("web1", "/etc/resolv.conf")).toBe("nameserver 10.77.0.53\n");
    expect(await dns.lookup("web1", `api.${zone}`)).toEqual([]);
    await dns.converge("web1", "off");
    expect(await dns.snapshot("web1")).toBe(before.get("web1"));
  }, 60_000);

  it("is taken over in file mode: private, public and unknown names are answered as they should be", async () => {
    const outcome = await dns.converge("web1", "file");
    expect(outcome.steps.filter((step) => step.result !== "done")).toEqual([]);
    expect(outcome.conditions).toEqual([]);
    await expectNamesResolve("web1");
    expect(await dns.converge("web1", "file")).toMatchObject({ steps: [] });
  }, 60_000);

  it("never asks the upstream for a private name", async () => {
    const names = await dns.askedUpstream(async () => {
      await dns.lookup("web1", `nobody.${zone}`);
      await dns.lookup("web1", `api.${zone}`);
    });
    expect(names.filter((name) => name.includes(zone))).toEqual([]);
  }, 30_000);

  it("shows a changed zone within 3 s, without a restart", async () => {
    const pid = await dns.mainPid("web1");
    await dns.converge("web1", "file", {
      records: [...records, { name: `new.${zone}`, type: "A", value: "10.77.0.14" }],
    });
    const took = await until(
      "new name",
      10_000,
      async () => (await dns.lookup("web1", `new.${zone}`)).length === 1,
    );
    expect(took).toBeLessThan(3000);
    expect(await dns.mainPid("web1")).toBe(pid);
    await dns.converge("web1", "file");
  }, 60_000);

  it("lets public names through while CoreDNS is stopped", async () => {
    await dns.sh("web1", "systemctl stop weft-dns");
    const began = performance.now();
    expect(await dns.lookup("web1", "www.example.test")).toEqual(["192.0.2.80"]);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(await dns.lookup("web1", `api.${zone}`)).toEqual([]);
    expect(await dns.converge("web1", "file")).toMatchObject({
      end: "done",
      steps: [{ step: "enableUnit" }],
    });
    await until("names again", 10_000, async () => (await dns.lookup("web1", `api.${zone}`)).length === 2);
  }, 60_000);

  it("kills a CoreDNS that hangs, and says so until it answers", async () => {
    const pid = await dns.mainPid("web1");
    await dns.sh("web1", `kill -STOP ${pid}`);
    const seen = (await dns.drive("web1", "watch", dns.wanted("web1", "file"))) as Pick<
      Outcome,
      "conditions"
    >[];
    expect(seen.flatMap((check) => check.conditions)).toContainEqual({
      code: "DNS_DOWN",
      detail: expect.stringContaining("killed"),
    });
    expect(seen.at(-1)).toMatchObject({ report: { state: "in-force" }, conditions: [] });
    expect(await dns.mainPid("web1")).not.toBe(pid);
    await expectNamesResolve("web1");
  }, 60_000);

  it.each(["reboot", "crash"] as const)(
    "resolves after a %s with no agent at all",
    async (how) => {
      await lab[how]("web1");
      await until(
        "names after the boot",
        15_000,
        async () => (await dns.lookup("web1", `api.${zone}`)).length === 2,
      );
      await expectNamesResolve("web1");
      expect(await dns.converge("web1", "file")).toMatchObject({ steps: [] });
    },
    120_000,
  );

  it("is not fought over when somebody else writes it, and left to them", async () => {
    await dns.sh(
      "web1",
      "printf 'nameserver 10.77.0.53\\nsearch corp.example\\n' >/etc/resolv.conf.new; mv /etc/resolv.conf.new /etc/resolv.conf",
    );
    const outcome = await dns.converge("web1", "file");
    expect(outcome.steps).toEqual([]);
    expect(outcome.conditions).toEqual([{ code: "DNS_DRIFTED", detail: expect.any(String) }]);
    expect(await dns.drive("web1", "give")).toMatchObject({ kind: "left" });
    expect(await lab.readFile("web1", "/etc/resolv.conf")).toBe(
      "nameserver 10.77.0.53\nsearch corp.example\n",
    );
    await dns.sh("web1", "printf 'nameserver 10.77.0.53\\n' >/etc/resolv.conf");
  }, 60_000);

  it("is given back byte for byte", async () => {
    await dns.converge("web1", "file");
    expect(await dns.snapshot("web1")).not.toBe(before.get("web1"));
    await dns.converge("web1", "off");
    expect(await dns.snapshot("web1")).toBe(before.get("web1"));
    expect(await dns.lookup("web1", "www.example.test")).toEqual(["192.0.2.80"]);
  }, 60_000);

  it("is not touched when CoreDNS cannot start", async () => {
    await dns.sh(
      "web1",
      "mv /opt/weft/components/coredns /opt/weft/coredns.away; printf '#!/bin/false\\n' >/opt/weft/components/coredns; chmod 755 /opt/weft/components/coredns",
    );
    try {
      const outcome = await dns.converge("web1", "file");
      expect(outcome.end).toBe("reverted");
      expect(await dns.snapshot("web1")).toBe(before.get("web1"));
    } finally {
      await dns.sh("web1", "mv /opt/weft/coredns.away /opt/weft/components/coredns");
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
      await dns.sh("rogue", `cp -a /etc/resolv.conf /run/resolv.conf; ${script}`);
      try {
        const odd = await dns.snapshot("rogue");
        const upstreams = ["fd77::53"];
        const outcome = await dns.converge("rogue", "file", { upstreams });
        expect(outcome.steps.filter((step) => step.result !== "done")).toEqual([]);
        await expectNamesResolve("rogue");
        await dns.converge("rogue", "off", { upstreams });
        expect(await dns.snapshot("rogue")).toBe(odd);
      } finally {
        await dns.sh(
          "rogue",
          "rm -f /etc/resolv.conf /etc/resolv.site; cp -a /run/resolv.conf /etc/resolv.conf",
        );
      }
    },
    60_000,
  );

  it("are left alone when mounted from outside", async () => {
    await dns.sh("rogue", "cp /etc/resolv.conf /run/r; mount --bind /run/r /etc/resolv.conf");
    try {
      const outcome = await dns.converge("rogue", "file");
      expect(outcome.conditions).toEqual([
        { code: "DNS_NOT_TAKEN", detail: expect.stringContaining("mount of its own") },
      ]);
    } finally {
      await dns.sh("rogue", "umount /etc/resolv.conf");
    }
    await dns.converge("rogue", "off");
  }, 60_000);
});

describe("systemd-resolved (api1)", () => {
  it("is asked to route the zone, and /etc/resolv.conf is not touched", async () => {
    const resolvConf = await lab.run("api1", ["readlink", "/etc/resolv.conf"]);
    const outcome = await dns.converge("api1", "auto");
    expect(outcome.steps.filter((step) => step.result !== "done")).toEqual([]);
    expect(outcome).toMatchObject({ decision: { mode: "resolved-link" }, conditions: [] });
    expect(await lab.run("api1", ["readlink", "/etc/resolv.conf"])).toBe(resolvConf);
    await expectNamesResolve("api1");
    expect(await dns.converge("api1", "auto")).toMatchObject({ steps: [] });
  }, 60_000);

  it("sends private names to us alone, and public names past us", async () => {
    await dns.sh("api1", "resolvectl flush-caches");
    const names = await dns.askedUpstream(async () => {
      await dns.lookup("api1", `nobody.${zone}`);
      expect(await dns.lookup("api1", "www.example.test")).toEqual(["192.0.2.80"]);
    });
    expect(names.filter((name) => name.includes(zone))).toEqual([]);
    expect(names.some((name) => name.includes("www.example.test"))).toBe(true);
  }, 30_000);

  it("shows a changed zone within 3 s", async () => {
    await dns.converge("api1", "auto", {
      records: [...records, { name: `new.${zone}`, type: "A", value: "10.77.0.14" }],
    });
    const took = await until(
      "new name",
      10_000,
      async () => (await dns.lookup("api1", `new.${zone}`)).length === 1,
    );
    expect(took).toBeLessThan(3000);
    await dns.converge("api1", "auto");
  }, 60_000);

  it("answers public names at once while CoreDNS is stopped or hangs", async () => {
    for (const signal of ["STOP", "stop"]) {
      await dns.sh(
        "api1",
        signal === "stop" ? "systemctl stop weft-dns" : `kill -STOP ${await dns.mainPid("api1")}`,
      );
      await dns.sh("api1", "resolvectl flush-caches");
      const began = performance.now();
      expect(await dns.lookup("api1", "www.example.test")).toEqual(["192.0.2.80"]);
      expect(performance.now() - began).toBeLessThan(2000);
      if (signal === "STOP") await dns.sh("api1", `kill -CONT ${await dns.mainPid("api1")}`);
    }
    await dns.converge("api1", "auto");
    await until("names again", 10_000, async () => (await dns.lookup("api1", `api.${zone}`)).length === 2);
  }, 60_000);

  it("keeps the route when systemd-resolved restarts", async () => {
    await dns.sh("api1", "systemctl restart systemd-resolved");
    await until("names again", 10_000, async () => (await dns.lookup("api1", `api.${zone}`)).length === 2);
    expect(await dns.converge("api1", "auto")).toMatchObject({ steps: [] });
  }, 60_000);

  it("gets its link again after a reboot", async () => {
    await lab.reboot("api1");
    expect(await dns.drive("api1", "check", dns.wanted("api1", "auto"))).toMatchObject({ repair: true });
    expect(await dns.converge("api1", "auto")).toMatchObject({
      end: "done",
      steps: [{ step: "takeResolver" }],
    });
    await expectNamesResolve("api1");
  }, 120_000);

  it("never lets the link's address become the source of a packet", async () => {
    expect(await lab.run("api1", ["ip", "-4", "route", "get", "10.77.0.53"])).toContain("src 10.77.0.12");
    expect(await lab.run("api1", ["ip", "-4", "-br", "addr", "show", "dev", "weft-dns0"])).toContain(
      "192.0.0.8/32",
    );
  }, 30_000);

  it("is given back without a trace", async () => {
    await dns.converge("api1", "off");
    expect(await dns.snapshot("api1")).toBe(before.get("api1"));
    expect(await dns.lookup("api1", "www.example.test")).toEqual(["192.0.2.80"]);
    expect(await dns.lookup("api1", `api.${zone}`)).toEqual([]);
  }, 60_000);
});

it("leaves every machine as it was", async () => {
  for (const machine of machines) expect(await dns.snapshot(machine)).toBe(before.get(machine));
}, 60_000);
