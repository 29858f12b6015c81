import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "@jest/globals";
import { WeftError } from "@weft/shared/errors/weft-error";
import { type CapturedTerminal, capturedTerminal } from "../../../../test/support/captured-terminal.ts";
import {
  type ControlAnswers,
  type FakeControlServer,
  startFakeControlServer,
} from "../../../../test/support/fake-control-server.ts";
import { after, sampleFleet } from "../../../../test/support/fleet-sample.ts";
import { meshJsonSchema } from "../mesh/schema.ts";
import { loadMesh } from "../mesh/validate.ts";
import { linuxMachine, writeFileDurably } from "../setup/linux-machine.ts";
import { connectSpireServer } from "../spire/spire-client.ts";
import { connectControl } from "./control-client.ts";
import { readMeshSources } from "./mesh-sources.ts";
import { runCli } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-cli-"));
const goodFile = join(folder, "mesh.yaml");
const goodText =
  "weft: v1\nmesh: shop\ntrustDomain: mesh.internal\nnodes:\n  hub: { address: 10.77.0.10 }\n" +
  "cilium: { etcd: { nodes: [hub] }, ranges: 10.42.0.0/16 }\n";
writeFileSync(goodFile, goodText);
const badFile = join(folder, "bad.yaml");
writeFileSync(
  badFile,
  "weft: v1\nmesh: shop\ntrustDomain: mesh.internal\nnodes:\n  hub: { addres: 10.77.0.10 }\n",
);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const servers: FakeControlServer[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop();
});

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function weft(
  argv: readonly string[],
  answers?: ControlAnswers,
  signal: AbortSignal = new AbortController().signal,
  terminal: CapturedTerminal = capturedTerminal(),
): Promise<Ended> {
  const server = answers === undefined ? undefined : await startFakeControlServer(answers);
  if (server !== undefined) servers.push(server);
  const socket = server?.socketPath ?? join(folder, "absent.sock");
  const code = await runCli([...argv, "--socket", socket], {
    terminal,
    signal,
    now: () => after(0),
    connect: connectControl,
    connectSpire: (socketPath) => connectSpireServer({ socketPath, now: () => after(0) }),
    readSources: readMeshSources,
    loadMesh: async (sources) => loadMesh(sources, { coordinatorNode: undefined }),
    meshJsonSchema: async () => meshJsonSchema(),
    writeSecret: (path, text) => writeFileDurably(path, text, 0o600),
    claimedBy: "ann",
    operator: undefined,
    machine: linuxMachine(),
  });
  return { code, out: terminal.outLines.join("\n"), err: terminal.errLines.join("\n") };
}

describe("exit code 2: what was typed is wrong", () => {
  it.each([
    [["statu"], /Did you mean status/],
    [["node", "add"], /missing required argument/],
    [["apply", goodFile, "--timeout", "soon"], /no number of seconds/],
    [["node", "add", "web1", "--ttl", "99h"], /lifetime of a token/],
    [["node", "add", "web1", "--from", "home"], /--from/],
    [["validate"], /no mesh file was named/],
    [["validate", join(folder, "absent.yaml")], /cannot be read[\s\S]*there is no such file/],
    [["init", "--address", "10.0.0.1"], /--name/],
    [["init", "--name", "x", "--address", "127.0.0.1"], /cannot reach/],
    [["init", "--name", "x", "--address", "10.0.0.1", "--trust-domain", "x.local"], /\.local/],
  ])("%j", async (argv, text) => {
    const { code, err } = await weft(argv);
    expect(err).toMatch(text);
    expect(err).toMatch(/\(WEFT-E\d{3}\)/);
    expect(code).toBe(2);
  });

  it("and problems of the mesh file, all at once, with place and near name", async () => {
    const { code, err } = await weft(["validate", badFile]);
    expect(err).toMatch(/bad\.yaml:5:10: .*addres.*did you mean address\?/);
    expect(err).toContain("WEFT-E100");
    expect(code).toBe(2);
  });

  it("also when the coordinator finds them", async () => {
    const problem = {
      file: "mesh.yaml",
      line: 3,
      column: 1,
      message: "no",
      allowed: "",
      near: "",
      severity: "error",
    };
    const refused = { $case: "refused" as const, value: { problems: [problem], message: "" } };
    const { code, err } = await weft(["apply", goodFile], { apply: () => [refused] });
    expect(err).toContain("mesh.yaml:3:1: no");
    expect(code).toBe(2);
  });
});

describe("exit code 0", () => {
  it("validate says what the file holds, without what Weft runs for it, and what to type next", async () => {
    const { code, out } = await weft(["validate", goodFile]);
    expect(out).toContain("valid: mesh shop with 1 node, 0 services, 0 policies");
    expect(out).toContain(`next: weft plan ${goodFile}`);
    expect(code).toBe(0);
  });

  it("schema is JSON, and so is a directory's validation", async () => {
    expect(JSON.parse((await weft(["schema"])).out)).toHaveProperty("properties");
    expect(JSON.parse((await weft(["validate", goodFile, "--json"])).out)).toEqual({
      valid: true,
      problems: [],
    });
  });

  it("help, version and completion", async () => {
    expect((await weft(["--help"])).code).toBe(0);
    expect((await weft(["version"], {})).out).toContain("9.9.9");
    expect((await weft(["completion"])).out).toContain('"node") words="add list show remove ban unban');
  });

  it("status as table and as JSON", async () => {
    const status = () => [sampleFleet];
    expect((await weft(["status"], { status })).out).toContain("web1  Online");
    const { nodes } = JSON.parse((await weft(["status", "--json"], { status })).out);
    expect(nodes.map((node: { name: string }) => node.name)).toEqual(["api1", "db1", "hub", "n1", "web1"]);
    expect(JSON.parse((await weft(["status", "web1", "--json"], { status })).out).name).toBe("web1");
    expect((await weft(["node", "show", "web1"], { status })).out).toMatch(/services\s+web/);
  });

  it("apply --wait narrates each kernel", async () => {
    const sent: string[] = [];
    const { code, out } = await weft(["apply", goodFile, "--wait", "--reason", "because"], {
      apply(request) {
        sent.push(request.claimedBy, request.reason, String(request.wait), request.sources[0]!.name);
        return [
          { $case: "accepted", value: { revision: 5n, nodes: ["hub"], unchanged: false } },
          { $case: "node", value: { node: "hub", phase: "enforced", afterMs: 230, detail: "kernel of hub" } },
          { $case: "done", value: { complete: true, missing: [] } },
        ];
      },
    });
    expect(out).toBe(
      "revision 5 accepted for hub\n  hub enforced after 230 ms (kernel of hub)\nrevision 5 is in force everywhere",
    );
    expect(sent).toEqual(["ann", "because", "true", goodFile]);
    expect(code).toBe(0);
  });

  it("apply without --wait ends with the acceptance", async () => {
    const { code, out } = await weft(["apply", goodFile], {
      apply: () => [{ $case: "accepted", value: { revision: 5n, nodes: [], unchanged: false } }],
    });
    expect(out).toContain("next: weft status --watch");
    expect(code).toBe(0);
  });

  it("node add gives the line to paste and the token apart, or the token into a file", async () => {
    const addNode = () => ({
      token: "web1.secret",
      pin: "sha256:ab",
      coordinatorAddress: "10.77.0.10",
      expires: after(900),
    });
    const shown = await weft(["node", "add", "web1"], { addNode });
    expect(shown.out).toContain("  sudo weft-node-agent join 10.77.0.10 --pin sha256:ab\n");
    expect(shown.out.split("\n").filter((line) => line.includes("web1.secret"))).toEqual(["  web1.secret"]);
    const tokenFile = join(folder, "token");
    const hidden = await weft(["node", "add", "web1", "--token-file", tokenFile], { addNode });
    expect(hidden.out).not.toContain("secret");
    expect(readFileSync(tokenFile, "utf8")).toBe("web1.secret\n");
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
    const json = JSON.parse((await weft(["node", "add", "web1", "--json"], { addNode })).out);
    expect(json).toMatchObject({ node: "web1", token: "web1.secret", pin: "sha256:ab" });
  });

  it("plan in words and diff, history as a table", async () => {
    const node = { node: "hub", words: ["opens 8080/tcp"], diff: "@@ -1 +1 @@\n-a\n+b\n", enrolled: true };
    const plan = await weft(["plan", goodFile], {
      plan: {
        problems: [],
        baseRevision: 4n,
        nodes: [node],
        replay: { flips: [], unknown: [], since: after(0), youngest: "" },
      },
    });
    expect(plan.out).toBe(
      `hub:\n  opens 8080/tcp\n    @@ -1 +1 @@\n    -a\n    +b\nof the flows that kernels saw opened in the last 7 days none would be refused or newly allowed\n1 node would change, counted from revision 4\nnext: weft apply ${goodFile} --wait`,
    );
    const outcome = { outcome: "in-force", outcomeDetail: "", restores: 0n };
    const said = { claimedBy: "ann", reason: "why", digest: "f".repeat(64) };
    const revision = { revision: 1n, at: after(0), ...said, ...outcome };
    const history = await weft(["history"], { history: { revisions: [revision] } });
    expect(history.out).toMatch(/^1\s+2026-03-01 12:00:00\s+ann\s+in force\s+ffffffffffff\s+why$/m);
  });

  it("a watch in a pipe gives lines, outlives a coordinator, and ends when it is told to", async () => {
    const stop = new AbortController();
    const terminal = capturedTerminal();
    const ended = weft(["status", "--watch"], { status: () => [sampleFleet] }, stop.signal, terminal);
    const until = async (text: string) => {
      const deadline = Date.now() + 5_000;
      while (!terminal.outLines.some((line) => line.includes(text))) {
        if (Date.now() > deadline)
          throw new Error(`no line with ${text} in\n${terminal.outLines.join("\n")}`);
        await new Promise((wake) => setTimeout(wake, 10));
      }
    };
    await until("web1: Online, ENFORCED 4, dns file");
    for (const server of servers) server.stop();
    await until("trying again");
    stop.abort();
    expect((await ended).code).toBe(0);
  });
});

describe("exit codes 1, 3, 4, 5", () => {
  it("1: the coordinator cannot be reached", async () => {
    const { code, err } = await weft(["status"]);
    expect(err).toMatch(/cannot be reached[\s\S]*there is no such socket[\s\S]*weft init[\s\S]*WEFT-E500/);
    expect(code).toBe(1);
  });

  it("1: no such node", async () => {
    const { code, err } = await weft(["status", "nope"], { status: () => [sampleFleet] });
    expect(err).toContain("WEFT-E103");
    expect(code).toBe(1);
  });

  it("3: a guard refuses, in the coordinator's own words", async () => {
    const { code, err } = await weft(["node", "remove", "web1"], {
      removeNode() {
        throw new WeftError("WEFT-E104", "the mesh file still names web1", { hint: "take it out" });
      },
    });
    expect(err).toBe("weft: the mesh file still names web1\n  Do: take it out\n  (WEFT-E104)");
    expect(code).toBe(3);
    const refused = { $case: "refused" as const, value: { problems: [], message: "no" } };
    expect((await weft(["apply", goodFile], { apply: () => [refused] })).code).toBe(3);
  });

  it("4: some nodes failed, named", async () => {
    const { code, err } = await weft(["apply", goodFile, "--wait"], {
      apply: () => [
        { $case: "accepted", value: { revision: 5n, nodes: ["hub", "web1"], unchanged: false } },
        { $case: "node", value: { node: "web1", phase: "failed", afterMs: 10, detail: "nft" } },
        { $case: "done", value: { complete: false, missing: ["web1"] } },
      ],
    });
    expect(err).toContain("failed: web1");
    expect(code).toBe(4);
  });

  it("5: some are missing at the timeout, named", async () => {
    const { code, err } = await weft(["apply", goodFile, "--wait", "--timeout", "7"], {
      apply: () => [
        { $case: "accepted", value: { revision: 5n, nodes: ["hub", "web1"], unchanged: false } },
        { $case: "done", value: { complete: false, missing: ["hub", "web1"] } },
      ],
    });
    expect(err).toContain("not in force after 7 s on: hub, web1");
    expect(code).toBe(5);
  });

  it("5: interrupted while waiting", async () => {
    const stop = new AbortController();
    const terminal = capturedTerminal();
    const answers: ControlAnswers = {
      apply: () => [{ $case: "accepted", value: { revision: 5n, nodes: ["hub"], unchanged: false } }],
      applyHangs: true,
    };
    const out = terminal.out;
    terminal.out = (line) => {
      out(line);
      stop.abort();
    };
    expect((await weft(["apply", goodFile, "--wait"], answers, stop.signal, terminal)).code).toBe(5);
  });
});
