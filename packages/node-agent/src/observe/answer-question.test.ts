import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { KernelQuestion } from "@weft/shared/model/observation";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { answerQuestion } from "./answer-question.ts";

const own = { family: "inet", table: "weft" };
const ruleset = JSON.stringify({
  nftables: [
    { table: { family: "inet", name: "weft" } },
    { chain: { ...own, name: "any", type: "filter", hook: "input", prio: 0, policy: "accept" } },
    {
      set: {
        ...own,
        name: "rev",
        elem: [{ elem: { val: 4, comment: `digest=${"ab".repeat(32)}` } }],
      },
    },
    {
      set: {
        ...own,
        name: "yes",
        elem: [{ elem: { val: "10.77.0.11", comment: "web-to-api mesh.yaml:9" } }],
      },
    },
    {
      rule: {
        ...own,
        chain: "any",
        handle: 5,
        expr: [
          { match: { op: "==", left: { payload: { protocol: "ip", field: "saddr" } }, right: "@yes" } },
          { accept: null },
        ],
      },
    },
    { rule: { ...own, chain: "any", handle: 6, expr: [{ drop: null }] } },
  ],
});
const question: KernelQuestion = {
  id: 3,
  hook: "input",
  source: "10.77.0.11",
  destination: "10.77.0.12",
  protocol: "tcp",
  port: 8080,
  user: "",
  local: false,
  publishedPort: undefined,
};

const none = async () => [];

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.exec.programs.set("nft", () => ({ stdout: ruleset }));
  host.exec.programs.set("getent", ([, , user]) =>
    user === "web" ? { stdout: "web:x:998:998::/:/bin/sh\n" } : { code: 2 },
  );
});
afterEach(() => host.dispose());

describe("an answer", () => {
  it("says verdict, policy, line, rules, revision and who listens", async () => {
    const line = "0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 998 0 1";
    await host.files.write("/proc/net/tcp", `head\n${line}\n`);
    await host.files.write("/etc/passwd", "api:x:998:998::/:/bin/sh\n");
    expect(await answerQuestion(host, "api1", question, none)).toMatchObject({
      id: 3,
      witness: "kernel of api1",
      verdict: "accept",
      decidedBy: "policy",
      policy: "web-to-api",
      file: "mesh.yaml",
      line: 9,
      revision: 4,
      digest: "ab".repeat(32),
      trace: ['any (rule 5): accept by @yes "web-to-api mesh.yaml:9"'],
      listeners: [{ address: "0.0.0.0", uid: 998, user: "api" }],
    });
    const other = await answerQuestion(host, "api1", { ...question, source: "10.77.0.9" }, none);
    expect(other).toMatchObject({ verdict: "drop", decidedBy: "default" });
    // a question is data: the only programs that ran are those that read
    expect([...new Set(host.exec.calls)]).toEqual(["nft -j list ruleset"]);
  });

  it("of iptables-legacy beside it is not known, and what Weft says still is", async () => {
    await host.files.write("/proc/net/ip_tables_names", "filter\n");
    expect(await answerQuestion(host, "api1", question, none)).toMatchObject({
      verdict: "unknown",
      ownVerdict: "accept",
      others: [{ table: "iptables-legacy filter" }],
    });
  });

  it("is a problem when there is no such user, or nft fails", async () => {
    const leaving = { ...question, hook: "output", user: "nobody-here" } as const;
    expect(await answerQuestion(host, "web1", leaving, none)).toEqual({
      id: 3,
      problem: "web1 has no user nobody-here",
    });
    expect(await answerQuestion(host, "web1", { ...leaving, user: "web" }, none)).toMatchObject({ uid: 998 });
    host.exec.programs.set("nft", () => ({ code: 1, stderr: "not permitted" }));
    expect(await answerQuestion(host, "web1", question, none)).toMatchObject({
      problem: expect.stringContaining("not permitted"),
    });
  });
});
