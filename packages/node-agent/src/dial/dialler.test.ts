import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { DesiredContent } from "@weft/shared/model/desired";
import type { DialQuestion, DialResult } from "@weft/shared/model/dial";
import { sampleCilium } from "../../../../test/support/cilium/sample-endpoint.ts";
import { emptyContent } from "../../../../test/support/desired.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { Dialler } from "./dialler.ts";

const port = { protocol: "tcp", from: 8080, to: 8080 } as const;
const api = { service: "api", node: "api1", address: "10.77.0.12", portName: "http", user: "api" };
const bare = emptyContent("web1");
const content: DesiredContent = {
  ...bare,
  identity: {
    ...bare.identity,
    workloads: [{ service: "web", spiffeId: "spiffe://mesh.internal/web", user: "web", unit: undefined }],
  },
  policy: { ...bare.policy, mesh: [{ ...api, port, mode: "enforce" }] },
};
const question: DialQuestion = { id: 7, user: "web", destination: "10.77.0.12", port: 8080 };

let host: FakeHost;
let dialled: string[];
let given: DesiredContent | undefined;
let said: string;
beforeEach(() => {
  host = new FakeHost();
  dialled = [];
  given = content;
  said = "accepted\n";
  host.exec.programs.set("getent", () => ({ stdout: "web:x:998:998::/:/bin/sh\n" }));
  host.exec.programs.set("systemd-run", () => ({ stdout: said }));
});
afterEach(() => host.dispose());

function dialler(dial?: (address: string) => Promise<DialResult>): Dialler {
  return new Dialler({
    exec: host.exec,
    clock: host.clock,
    program: { runtime: "/opt/weft/lib/node", script: "/opt/weft/lib/weft-dial.cjs" },
    content: async () => given,
    dial:
      dial ??
      (async (address, to) => {
        dialled.push(`${address} ${to}`);
        return { outcome: "refused", errno: "ECONNREFUSED" };
      }),
  });
}
const units = () => host.exec.calls.filter((call) => call.startsWith("systemd-run"));

describe("a connection for the coordinator", () => {
  it("is made as the service's user, in a passing unit without any power, by one program only", async () => {
    const at = host.clock.now();
    expect(await dialler().answer(question)).toEqual({ id: 7, at, outcome: "accepted", errno: "" });
    const [unit = ""] = units();
    const [options = "", program] = unit.split(" -- ");
    expect(program).toBe("/opt/weft/lib/node /opt/weft/lib/weft-dial.cjs 10.77.0.12 8080");
    for (const option of [
      "--uid=web",
      "--collect",
      "--property=CapabilityBoundingSet=",
      "--property=NoNewPrivileges=yes",
      "--property=ProtectSystem=strict",
      "--property=ProtectHome=yes",
      "--property=PrivateTmp=yes",
    ])
      expect(options.split(" --").map((each) => `--${each}`.replace("----", "--"))).toContain(option);
    expect(options).not.toMatch(/CAP_|ReadWritePaths|StateDirectory/);
    expect(dialled).toEqual([]);
  });

  it("of a service that has an endpoint of Cilium is made in its namespace", async () => {
    expect(await dialler().answer(question)).toMatchObject({ outcome: "accepted" });
    given = { ...content, cilium: sampleCilium("web") };
    expect(await dialler().answer(question)).toMatchObject({ outcome: "accepted" });
    given = { ...content, cilium: sampleCilium("shop") };
    expect(await dialler().answer(question)).toMatchObject({ outcome: "accepted" });
    const inside = units().map((unit) => /NetworkNamespacePath=(\S*)/.exec(unit)?.[1]);
    expect(inside).toEqual([undefined, "/run/netns/weft-web", undefined]);
  });

  it("of a node is made by the agent itself, and nothing is run", async () => {
    expect(await dialler().answer({ ...question, user: "root" })).toMatchObject({
      outcome: "refused",
      errno: "ECONNREFUSED",
    });
    expect(dialled).toEqual(["10.77.0.12 8080"]);
    expect(host.exec.calls).toEqual([]);
  });

  it("is not made beyond what the node was given, and nothing is run", async () => {
    const asked = dialler();
    expect(await asked.answer({ ...question, port: 22 })).toMatchObject({
      problem: expect.stringContaining("no endpoint"),
    });
    expect(await asked.answer({ ...question, user: "mallory" })).toMatchObject({
      problem: expect.stringContaining("mallory"),
    });
    given = undefined;
    expect(await asked.answer(question)).toMatchObject({ problem: expect.stringContaining("no state") });
    expect(host.exec.calls).toEqual([]);
    expect(dialled).toEqual([]);
  });

  it("is not made for a user that the machine has not, or when systemd says no, or says nothing to be read", async () => {
    said = "Running as unit: run-u1.service\naccepted\n";
    expect(await dialler().answer(question)).toMatchObject({
      id: 7,
      problem: expect.stringContaining("no answer"),
    });
    host.exec.programs.set("systemd-run", () => {
      throw new WeftError("WEFT-E005", "systemd-run did not end within 8 s");
    });
    expect(await dialler().answer(question)).toMatchObject({ problem: "systemd-run did not end within 8 s" });
    host.exec.programs.set("getent", () => ({ code: 2 }));
    expect(await dialler().answer(question)).toMatchObject({ problem: "it has no user web" });
  });

  it("is one at a time: a second is refused, and may come once the first is over", async () => {
    const first: { end: (result: DialResult) => void } = { end: () => {} };
    const asked = dialler(
      () =>
        new Promise((resolve) => {
          first.end = resolve;
        }),
    );
    const waiting = asked.answer({ ...question, user: "root" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(await asked.answer({ ...question, id: 8 })).toEqual({
      id: 8,
      problem: "it is making another connection",
    });
    first.end({ outcome: "accepted", errno: "" });
    expect(await waiting).toMatchObject({ outcome: "accepted" });
    expect(await asked.answer({ ...question, id: 9 })).toMatchObject({ outcome: "accepted" });
  });

  it("is one of twenty a minute; those that were refused count not", async () => {
    const asked = dialler();
    for (let count = 0; count < 30; count++) await asked.answer({ ...question, port: 22 });
    for (let count = 0; count < 20; count++)
      expect(await asked.answer(question)).toMatchObject({ outcome: "accepted" });
    expect(await asked.answer(question)).toMatchObject({
      problem: expect.stringContaining("20 connections"),
    });
    expect(units()).toHaveLength(20);
  });
});
