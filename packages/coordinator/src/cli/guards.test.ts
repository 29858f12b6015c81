import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { capturedTerminal } from "../../../../test/support/captured-terminal.ts";
import { type ControlAnswers, startFakeControlServer } from "../../../../test/support/fake-control-server.ts";
import { after } from "../../../../test/support/fleet-sample.ts";
import { loadMesh } from "../mesh/validate.ts";
import { linuxMachine } from "../setup/linux-machine.ts";
import { connectSpireServer } from "../spire/spire-client.ts";
import { connectControl } from "./control-client.ts";
import { readMeshSources } from "./mesh-sources.ts";
import { runCli } from "./program.ts";
import { sshSession } from "./ssh-session.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-guards-"));
const file = join(folder, "mesh.yaml");
writeFileSync(
  file,
  "weft: v1\nmesh: shop\ntrustDomain: mesh.internal\nnodes:\n  hub: { address: 10.77.0.10 }\n",
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function weft(argv: readonly string[], answers: ControlAnswers) {
  const server = await startFakeControlServer(answers);
  const terminal = capturedTerminal();
  try {
    const code = await runCli([...argv, "--socket", server.socketPath], {
      terminal,
      signal: new AbortController().signal,
      now: () => after(0),
      connect: connectControl,
      connectSpire: (socketPath) => connectSpireServer({ socketPath, now: () => after(0) }),
      readSources: readMeshSources,
      loadMesh: async (sources) => loadMesh(sources, { coordinatorNode: undefined }),
      meshJsonSchema: async () => ({}),
      writeSecret: async () => undefined,
      claimedBy: "ann",
      operator: { address: "192.0.2.7", port: 22 },
      machine: linuxMachine(),
    });
    return { code, out: terminal.outLines.join("\n"), err: terminal.errLines.join("\n") };
  } finally {
    server.stop();
  }
}

const risk = {
  code: "GUARD-ADMIN",
  nodes: ["hub", "web1"],
  text: "192.0.2.0/28 is no admin range any more",
  todo: "leave the range",
  file: "mesh.yaml",
  line: 5,
};
const port = { ...risk, code: "GUARD-PORT", nodes: ["n1", "n2", "n3", "n4", "n5", "n6"], file: "", line: 0 };

describe("what a change would cut", () => {
  it("is listed by plan with the flags that accept it, and in its JSON", async () => {
    const node = { node: "hub", words: ["opens 8080/tcp"], diff: "", enrolled: true };
    const plan = { problems: [], baseRevision: 4n, nodes: [node], risks: [risk, port] };
    const { out, code } = await weft(["plan", file], { plan });
    expect(out).toContain(
      "GUARD-ADMIN mesh.yaml:5: 192.0.2.0/28 is no admin range any more (on hub, web1)\n" +
        "  Do: leave the range; or, if it is meant, --accept-risk GUARD-ADMIN\n" +
        "GUARD-PORT 192.0.2.0/28 is no admin range any more (on n1, n2, n3, n4, n5 and 1 more)\n",
    );
    expect(out).toContain(
      `next: weft apply ${file} --wait --accept-risk GUARD-ADMIN --accept-risk GUARD-PORT`,
    );
    expect(code).toBe(0);
    const { risks } = JSON.parse((await weft(["plan", file, "--json"], { plan })).out);
    expect(risks).toEqual([risk, { ...port, file: null, line: null }]);
  });

  it("is refused by apply with exit 3", async () => {
    const refused = {
      $case: "refused" as const,
      value: { problems: [], message: "guards would be cut", risks: [risk] },
    };
    const { code, err } = await weft(["apply", file], { apply: () => [refused] });
    expect(err).toBe(
      "GUARD-ADMIN mesh.yaml:5: 192.0.2.0/28 is no admin range any more (on hub, web1)\n" +
        "  Do: leave the range; or, if it is meant, --accept-risk GUARD-ADMIN\n" +
        "guards would be cut; nothing was changed (WEFT-E101)",
    );
    expect(code).toBe(3);
  });

  it("goes through with each code named; what was accepted is said, and what was not needed", async () => {
    const asked: unknown[] = [];
    const { code, out } = await weft(
      ["apply", file, "--accept-risk", "GUARD-ADMIN", "--accept-risk", "GUARD-HUB"],
      {
        apply({ acceptRisks, operator }) {
          asked.push(acceptRisks, operator);
          const value = {
            revision: 5n,
            nodes: [],
            unchanged: false,
            risks: [risk],
            unneededRisks: ["GUARD-HUB"],
          };
          return [{ $case: "accepted", value }];
        },
      },
    );
    expect(asked).toEqual([["GUARD-ADMIN", "GUARD-HUB"], { address: "192.0.2.7", port: 22 }]);
    expect(out).toContain("accepted GUARD-ADMIN: 192.0.2.0/28 is no admin range any more (on hub, web1)");
    expect(out).toContain("remark: --accept-risk GUARD-HUB was not needed");
    expect(code).toBe(0);
  });

  it("is not accepted by a name that does not exist", async () => {
    const { code, err } = await weft(["apply", file, "--accept-risk", "GUARD-ADMN"], {});
    expect(err).toBe('weft: there is no risk "GUARD-ADMN"\n  Do: did you mean GUARD-ADMIN?\n  (WEFT-E001)');
    expect(code).toBe(2);
  });
});

describe("a ban", () => {
  const carried = { node: "hub", phase: "enforced", afterMs: 240, detail: "" };

  it("says what was done and which kernels carry it; 4 when some do not", async () => {
    const asked: unknown[] = [];
    const whole = await weft(
      ["node", "ban", "n1", "--reason", "stolen", "--address", "FD77::0:1", "--address", "10.0.0.9"],
      {
        banNode(request) {
          asked.push(request);
          return { done: ["it is out"], nodes: [carried], missing: [] };
        },
      },
    );
    const addresses = ["fd77::1", "10.0.0.9"];
    expect(asked).toEqual([
      { name: "n1", reason: "stolen", claimedBy: "ann", timeoutSeconds: 30, addresses },
    ]);
    expect(whole).toEqual({ code: 0, err: "", out: "it is out\ncarried by the kernels of hub (240 ms)" });
    const partly = await weft(["node", "unban", "n1"], {
      banNode: () => ({ done: [], nodes: [], missing: [{ node: "api1", why: "not connected" }] }),
    });
    expect(partly).toEqual({
      code: 4,
      out: "no kernel carries it yet",
      err: "not carried by api1: not connected",
    });
  });

  it("as JSON", async () => {
    const answer = { done: ["it is out"], nodes: [carried], missing: [] };
    const { out } = await weft(["node", "ban", "n1", "--json"], { banNode: () => answer });
    expect(JSON.parse(out)).toEqual({ node: "n1", ...answer });
  });
});

describe("where the operator sits", () => {
  it.each([
    ["192.0.2.7 50022 10.77.0.10 22", { address: "192.0.2.7", port: 22 }],
    ["fe80::1%eth0 50022 fe80::2%eth0 2222", { address: "fe80::1", port: 2222 }],
    [undefined, undefined],
    ["", undefined],
    ["nowhere 1 10.77.0.10 22", undefined],
    ["192.0.2.7 50022 10.77.0.10 0", undefined],
    ["192.0.2.7 50022", undefined],
  ])("SSH_CONNECTION %p says %p", (text, expected) => {
    expect(sshSession({ SSH_CONNECTION: text })).toEqual(expected);
  });
});
