// A baseline and pings, in real kernels: what no service declares is closed to all who are not named, and nobody is
// shut out by that whom a guard, an answer or an open connection concerns. Expected verdicts are written by hand.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { attributionOf } from "../../packages/shared/src/kernel-verdict/attribution.ts";
import { judgeHook } from "../../packages/shared/src/kernel-verdict/judge.ts";
import type { Packet } from "../../packages/shared/src/kernel-verdict/packet.ts";
import { parseRuleset } from "../../packages/shared/src/kernel-verdict/ruleset.ts";
import { PolicyNet } from "../support/policy-net.ts";

const lab = new PolicyNet();
const { net, address, user } = lab;
const guard = "guard: { admin: [10.77.0.64/28], ports: [22/tcp] }\n";
const closed = `${guard}baseline: { inbound: deny }\n`;
const rogue = () => net.as("rogue", user.root);

beforeAll(async () => {
  await lab.up();
  await net.as("api1", user.root).listen(22);
  await net.as("api1", user.root).listen(9101);
  await net.as("api1", user.root).listen(9999, "udp");
  await net.as("rogue", user.root).listen(9999, "udp");
  net.addContainer("crate", "api1", "172.30.2");
  await net.as("crate", user.root).listen(80);
  const published =
    "add table ip t-nat\nadd chain ip t-nat pre { type nat hook prerouting priority -100; }\n";
  net.nft("api1", `${published}add rule ip t-nat pre iifname eth0 tcp dport 8443 dnat to 172.30.2.2:80\n`);
}, 300_000);
afterAll(() => net.down());
beforeEach(() => lab.clear());

function judged(packet: Partial<Packet>) {
  const ruleset = parseRuleset(net.run("api1", ["nft", "-j", "list", "table", "inet", "weft"]));
  const found = judgeHook(ruleset, "inet weft", {
    hook: "input",
    source: address.rogue.v4,
    destination: address.api1.v4,
    protocol: "tcp",
    port: 9999,
    uid: undefined,
    local: false,
    publishedPort: undefined,
    ...packet,
  });
  const { kind, file, line } = attributionOf(found);
  return { verdict: found.verdict, kind, place: `${file}:${line}` };
}

describe("a baseline", () => {
  it("closes what no service declares, in both families, and declared ports stay what they were", async () => {
    const policies = "policies:\n  - { name: web-to-api, from: [web], to: api }\n";
    for (const host of [address.api1.v4, address.api1.v6]) {
      lab.clear();
      expect(await rogue().dial(host, 9999)).toBe("open");
      expect(await rogue().dial(host, 9999, "udp")).toBe("open");
      lab.enforce(policies + closed);
      expect(await rogue().dial(host, 9999)).toBe("ECONNREFUSED");
      expect(await rogue().dial(host, 9999, "udp")).not.toBe("open");
    }
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("web1", user.mallory).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.root).dial(address.api1.v4, 9999)).toBe("ECONNREFUSED");
    expect(lab.elements("api1", "denied_in4")).toMatch(/10\.77\.0\.11 \. tcp \. 9999 counter packets/);
  });

  it("says in the kernel which line of the file closes, and which opens", () => {
    lab.enforce(`${guard}baseline:
  - { inbound: deny }
  - { nodes: [api1], allow: [{ from: [node:web1], ports: [9990-9999/tcp, icmp] }] }\n`);
    const open = judged({ source: address.web1.v4 });
    const shut = judged({});
    expect([open.verdict, open.kind, shut.verdict, shut.kind]).toEqual([
      "accept",
      "baseline",
      "reject",
      "baseline",
    ]);
    const line = (place: string) => Number(place.split(":")[1]);
    expect(line(open.place)).toBe(line(shut.place) + 1);
    expect(judged({ protocol: "icmp", port: 0, source: address.web1.v4 })).toEqual(open);
    expect(judged({ protocol: "icmp", port: 0 })).toEqual(shut);
    expect(judged({ source: "10.77.0.70", port: 22 })).toMatchObject({ verdict: "accept", kind: "guard" });
  });

  it("lets in administrators, the coordinator to guard ports, and whom it names", async () => {
    lab.enforce(`${guard}baseline:
  - inbound: deny
    allow:
      - { from: [{ cidr: 10.77.0.64/27 }], ports: [9999/tcp] }
      - { from: [any], ports: [9101/tcp] }\n`);
    expect(await rogue().dial(address.api1.v4, 22)).toBe("open");
    expect(await net.as("hub", user.root).dial(address.api1.v4, 22)).toBe("open");
    expect(await net.as("web1", user.root).dial(address.api1.v4, 22)).toBe("ECONNREFUSED");
    expect(await rogue().dial(address.api1.v4, 9999)).toBe("open");
    expect(await rogue().dial(address.api1.v6, 9999)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.root).dial(address.api1.v4, 9101)).toBe("open");
    expect(await rogue().dial(address.api1.v6, 9101)).toBe("open");
    // a range never speaks for a node
    lab.enforce(
      `${guard}baseline: { inbound: deny, allow: [{ from: [{ cidr: 10.77.0.0/24 }], ports: [9999/tcp] }] }\n`,
    );
    expect(await rogue().dial(address.api1.v4, 9999)).toBe("open");
    expect(await net.as("web1", user.root).dial(address.api1.v4, 9999)).toBe("ECONNREFUSED");
  });

  it("leaves the machine's own connections, their answers, and what is open already", async () => {
    expect(await rogue().dialAndKeep("old", address.api1.v4, 9999)).toBe("open");
    lab.enforce(closed);
    expect(await rogue().ask({ op: "send", keep: "old" })).toBe("open");
    for (const host of [address.rogue.v4, address.rogue.v6]) {
      expect(await net.as("api1", user.root).dial(host, 9999)).toBe("open");
      expect(await net.as("api1", user.root).dial(host, 9999, "udp")).toBe("open");
    }
    expect(net.ping("api1", user.root, address.rogue.v4)).toBe("open");
    // new ones are closed, though the old one goes on
    expect(await rogue().dial(address.api1.v4, 9999)).toBe("ECONNREFUSED");
    expect(await rogue().ask({ op: "send", keep: "old" })).toBe("open");
  });

  it("closes ports that are published by DNAT and not declared", async () => {
    expect(await rogue().dial(address.api1.v4, 8443)).toBe("open");
    lab.enforce(closed);
    expect(await rogue().dial(address.api1.v4, 8443)).toBe("ECONNREFUSED");
    expect(lab.elements("api1", "denied_forward4")).toMatch(/10\.77\.0\.66 \. 172\.30\.2\.2 \. tcp \. 80/);
    lab.enforce(
      `${guard}baseline: { inbound: deny, allow: [{ from: [{ cidr: 10.77.0.66 }], ports: [8443/tcp] }] }\n`,
    );
    expect(await rogue().dial(address.api1.v4, 8443)).toBe("open");
    // what the container itself opens is not judged
    expect(await net.as("crate", user.root).dial(address.api1.v4, 9999)).toBe("ECONNREFUSED");
    expect(await net.as("api1", user.root).dial("172.30.2.2", 80)).toBe("open");
  });

  it("on trial counts what it would refuse, and lets it pass", async () => {
    lab.enforce(`${guard}baseline: { inbound: deny, mode: audit }\n`);
    expect(await rogue().dial(address.api1.v4, 9999)).toBe("open");
    expect(net.ping("rogue", user.root, address.api1.v6)).toBe("open");
    expect(lab.elements("api1", "audited_in4")).toMatch(/10\.77\.0\.66 \. tcp \. 9999 counter packets 1/);
    expect(lab.elements("api1", "audited_ping6")).toContain("fd77::66 counter packets 1");
    expect(lab.elements("api1", "denied_in4")).not.toContain("10.77.0.66");
  });

  it("gives a scan only so much room in what is recorded", async () => {
    lab.enforce(closed);
    for (let port = 20_000; port < 20_120; port++)
      expect(await rogue().dial(address.api1.v4, port)).toBe("ECONNREFUSED");
    const recorded = lab.elements("api1", "denied_in4").match(/10\.77\.0\.66/g)?.length ?? 0;
    expect(recorded).toBeGreaterThanOrEqual(50);
    expect(recorded).toBeLessThan(120);
  });
});

describe("a ping", () => {
  const ping = (host: string, to: string) => net.ping(host, user.root, to);

  it("passes until a policy or a baseline speaks of it", () => {
    lab.enforce("policies:\n  - { name: web-to-api, from: [web], to: api }\n");
    expect(ping("rogue", address.api1.v4)).toBe("open");
    expect(ping("rogue", address.api1.v6)).toBe("open");
  });

  it("is refused to whom a policy denies it, by address", () => {
    lab.enforce(
      'policies:\n  - { name: no, from: [node:web1, { cidr: 10.77.0.64/27 }, { cidr: "fd77::66" }], to: api, ports: [icmp], action: deny }\n',
    );
    expect(ping("rogue", address.api1.v4)).toBe("silent");
    expect(ping("rogue", address.api1.v6)).toBe("silent");
    expect(ping("web1", address.api1.v4)).toBe("silent");
    expect(ping("hub", address.api1.v4)).toBe("open");
    expect(ping("rogue", address.web1.v4)).toBe("open");
    expect(lab.elements("api1", "denied_ping4")).toMatch(/10\.77\.0\.66 counter packets 1/);
  });

  it("is let in where a baseline is closed by a policy that allows it", () => {
    lab.enforce(`policies:
  - { name: yes, from: [web], to: api, ports: [http, icmp] }
  - { name: yes-to-web1, from: [{ cidr: 10.77.0.66 }], to: node:web1, ports: [icmp] }\n${closed}`);
    expect(ping("web1", address.api1.v4)).toBe("open");
    expect(ping("hub", address.api1.v4)).toBe("silent");
    expect(ping("rogue", address.api1.v4)).toBe("silent");
    expect(ping("rogue", address.web1.v4)).toBe("open");
    expect(ping("rogue", address.web1.v6)).toBe("silent");
  });
});
