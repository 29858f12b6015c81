// What doctor says of a Cilium agent, by answers recorded of 1.18.10, and of one that misbehaves in every way.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { checkCilium } from "../../packages/node-agent/src/doctor/cilium-check.ts";
import { FakeCiliumAgent } from "../support/fake-cilium-agent.ts";
import { FakeHost } from "../support/fake-host.ts";

let host: FakeHost;
let agent: FakeCiliumAgent;

beforeEach(async () => {
  host = new FakeHost();
  agent = new FakeCiliumAgent();
  await agent.listen(host.root);
});
afterEach(async () => {
  await agent.close();
  host.dispose();
});

const said = async () => {
  const findings = await checkCilium(host);
  expect(findings.filter(({ standing, why, todo }) => standing !== "notice" || !why || !todo)).toEqual([]);
  return findings.map(({ check, what }) => `${check}: ${what}`);
};
const runs =
  "cilium: a Cilium agent 1.18.10 runs: 2 endpoints beside its own (health, host), enable-policy default";

describe("a Cilium agent that answers", () => {
  it("is told, and is only read from", async () => {
    expect(await said()).toEqual([runs]);
    expect(new Set(agent.asked)).toEqual(
      new Set(["GET /v1/config localhost", "GET /v1/endpoint localhost", "GET /v1/healthz localhost"]),
    );
  });

  it("that checks no sources, and judges the machine itself, is told with what to do", async () => {
    agent.behaviours.set("config", (response, text) => {
      const sources = text.replace(/("EnableSourceIPVerification": )true/, "$1false");
      response.end(sources.replace(/("EnableHostFirewall": )false/, "$1true"));
    });
    expect(await said()).toEqual([
      runs,
      "cilium-sources: Cilium does not check the source addresses of its endpoints",
      "cilium-host: Cilium's host firewall is on",
    ]);
  });

  it("that has lost its store says so", async () => {
    agent.behaviours.set("healthz", (response, text) => {
      const health = JSON.parse(text) as { cilium: unknown };
      health.cilium = {
        state: "Failure",
        msg: "1.18.10 (v1.18.10-1d8b9c6b47)    Kvstore service is not ready: away",
      };
      response.end(JSON.stringify(health));
    });
    expect(await said()).toEqual([
      runs,
      "cilium: the Cilium agent calls itself Failure: Kvstore service is not ready: away",
    ]);
  });
});

describe("a Cilium agent that misbehaves", () => {
  it.each<[string, Parameters<FakeCiliumAgent["behaviours"]["set"]>[1], RegExp]>([
    ["answers nothing", () => {}, /was not answered within 2 s/],
    ["hangs after its headers", (to) => to.flushHeaders(), /was not answered within 2 s/],
    ["sends half", (to, text) => to.end(text.slice(0, 40)), /is not understood/],
    ["sends other types", (to) => to.end('[{"status":{"state":7}}]'), /is not understood/],
    ["says 503", (to) => to.writeHead(503).end("not ready"), /answered 503/],
    ["says 429", (to) => to.writeHead(429).end(), /answered 429/],
    [
      "breaks off",
      (to) => {
        to.writeHead(200, { "content-length": "9" }).write("[");
        setTimeout(() => to.destroy(), 20);
      },
      /broke off/,
    ],
    ["sends too much", (to) => to.end(Buffer.alloc(17 * 1024 * 1024, " ")), /more than 16 MiB/],
  ])("%s: said, and the rest is told", async (_, behaviour, wanted) => {
    agent.behaviours.set("endpoint", behaviour);
    const [running, failed, ...more] = await said();
    expect(running).toContain("1.18.10 runs: its endpoints are not known");
    expect(failed).toMatch(wanted);
    expect(more).toEqual([]);
  });

  it("has died and left its socket: said once", async () => {
    await agent.close();
    const path = `${host.root}/run/cilium/cilium.sock`;
    const script = `require("net").createServer().listen(${JSON.stringify(path)},()=>process.kill(process.pid,"SIGKILL"))`;
    spawnSync(process.execPath, ["-e", script]);
    expect(await said()).toEqual([
      "cilium: a Cilium agent does not answer as it should: nobody listens at /run/cilium/cilium.sock",
    ]);
  });
});

describe("no Cilium agent", () => {
  beforeEach(() => agent.close());
  it("and nothing of one: nothing is said", async () => expect(await said()).toEqual([]));

  it("but what one loaded: said", async () => {
    mkdirSync(`${host.root}/sys/fs/bpf/tc/globals/cilium_ipcache`, { recursive: true });
    expect(await said()).toEqual([
      "cilium: no Cilium agent answers, but maps of one are in the kernel (/sys/fs/bpf/tc/globals)",
    ]);
  });

  it("an abort ends the asking", async () => {
    await expect(checkCilium(host, AbortSignal.abort())).rejects.toThrow("abort");
  });
});
