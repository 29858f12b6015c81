// The words of `weft why`, `denials`, `flows` and `graph`, over a real control socket.
import { afterEach, describe, expect, it } from "@jest/globals";
import type {
  NamedFlow,
  ObservationsResponse,
  WhyRequest,
  WhyResponse,
} from "@weft/shared/gen/weft/v1/control";
import type { FlowEnd } from "@weft/shared/gen/weft/v1/replay";
import { capturedTerminal } from "../../../../test/support/captured-terminal.ts";
import {
  type ControlAnswers,
  type FakeControlServer,
  startFakeControlServer,
} from "../../../../test/support/fake-control-server.ts";
import { after } from "../../../../test/support/fleet-sample.ts";
import { loadMesh } from "../mesh/validate.ts";
import { linuxMachine } from "../setup/linux-machine.ts";
import { connectSpireServer } from "../spire/spire-client.ts";
import { connectControl } from "./control-client.ts";
import { runCli } from "./program.ts";

const servers: FakeControlServer[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop();
});

async function weft(argv: readonly string[], answers: ControlAnswers, signal = new AbortController().signal) {
  const terminal = capturedTerminal();
  const server = await startFakeControlServer(answers);
  servers.push(server);
  const code = await runCli([...argv, "--socket", server.socketPath], {
    terminal,
    signal,
    now: () => after(0),
    connect: connectControl,
    connectSpire: (socketPath) => connectSpireServer({ socketPath, now: () => after(0) }),
    readSources: async () => [],
    loadMesh: async (sources) => loadMesh(sources, { coordinatorNode: undefined }),
    meshJsonSchema: async () => ({}),
    writeSecret: async () => {},
    claimedBy: "ann",
    operator: undefined,
    machine: linuxMachine(),
  });
  return { code, out: terminal.outLines, err: terminal.errLines };
}

const step = {
  kind: "sender",
  verdict: "refused",
  text: "is refused for uid 996 by default: no policy allows it",
  policy: "",
  file: "",
  line: 0,
  witness: "kernel of api1",
  revision: 4n,
  digest: "ab",
  trace: ["judge_mesh (rule 7): goto refuse_out"],
  remarks: ["another table also judges this hook: ip filter, and it refuses it"],
};
const answer: WhyResponse = {
  leftOut: 2,
  paths: [
    {
      from: "api on api1",
      to: "web on web1",
      source: "10.77.0.12",
      destination: "10.77.0.11",
      protocol: "tcp",
      port: 8080,
      verdict: "refused",
      sentence: "at the sender, api1: it is refused for uid 996 by default: no policy allows it",
      strength: "",
      steps: [step],
      patch: "--- mesh.yaml\n+++ mesh.yaml\n@@ -1,1 +1,2 @@\n policies:\n+  - { name: api-to-web }\n",
      patchNote: "allows this for every instance of api, and nothing else",
      proof: undefined,
    },
  ],
};

describe("weft why", () => {
  it("passes on what was asked, and says verdict, reason, steps and patch", async () => {
    const asked: WhyRequest[] = [];
    const why = (request: WhyRequest) => {
      asked.push(request);
      return answer;
    };
    const { code, out } = await weft(["why", "api", "web", "http", "--via", "hub", "--trace"], { why });
    expect(asked).toEqual([{ from: "api", to: "web", port: "http", via: "hub", prove: false }]);
    expect(code).toBe(0);
    expect(out).toEqual([
      "REFUSED  api on api1 -> web on web1 10.77.0.11:8080/tcp",
      "  at the sender, api1: it is refused for uid 996 by default: no policy allows it",
      "",
      "  sender    REFUSED  is refused for uid 996 by default: no policy allows it (kernel of api1, revision 4)",
      "                     another table also judges this hook: ip filter, and it refuses it",
      "                     judge_mesh (rule 7): goto refuse_out",
      "",
      "to allow it: allows this for every instance of api, and nothing else",
      "  --- mesh.yaml",
      "  +++ mesh.yaml",
      "  @@ -1,1 +1,2 @@",
      "   policies:",
      "  +  - { name: api-to-web }",
      "",
      "2 more pairs of instances and ports were not asked",
    ]);
  });

  it("as JSON: the verdict of all paths, and null for what is not there", async () => {
    const mixed = {
      ...answer,
      paths: answer.paths.flatMap((path) => [path, { ...path, verdict: "allowed" }]),
    };
    const json = JSON.parse(
      (await weft(["why", "api", "web", "--json"], { why: () => mixed })).out.join("\n"),
    );
    expect(json).toMatchObject({
      verdict: "mixed",
      leftOut: 2,
      paths: [
        {
          verdict: "refused",
          strength: null,
          steps: [{ policy: null, line: null, revision: 4 }],
          proof: null,
        },
        {},
      ],
    });
  });
});

const end = (kind: string, name: string, node: string, address: string): FlowEnd => ({
  kind,
  name,
  node,
  address,
  spiffeId: kind === "service" ? `spiffe://mesh.internal/${name}` : "",
});
const web = end("service", "web", "web1", "10.77.0.11");
const api = end("service", "api", "api1", "10.77.0.12");
const flow = (kind: string, source: FlowEnd, more: Partial<NamedFlow> = {}): NamedFlow => ({
  kind,
  source,
  destination: api,
  protocol: "tcp",
  port: 8080,
  portName: "http",
  count: 4n,
  lastSeen: after(-60),
  witness: "kernel of api1",
  node: "api1",
  decidedBy: kind === "allowed" ? "" : "default",
  file: "",
  line: 0,
  wouldAllow: kind === "allowed" ? "" : "- { name: x, from: [x], to: api, ports: [http] }",
  ...more,
});
const declared = { destination: "api", protocol: "tcp", port: 8080, portName: "http", action: "allow" };
const observed: ObservationsResponse = {
  at: after(0),
  flows: [
    flow("allowed", web, { witness: "kernels of web1 and api1" }),
    flow("denied", end("user", "mallory", "web1", "10.77.0.11"), { count: 1266n }),
    flow("denied", end("none", "", "", "10.77.0.9"), {
      decidedBy: "no-guests",
      file: "m.yaml",
      line: 9,
      wouldAllow: "",
    }),
    flow("audited", end("node", "hub", "hub", "10.77.0.10")),
  ],
  declared: [
    { ...declared, source: "web", policy: "web-to-api" },
    { ...declared, source: "shop", policy: "shop-to-api" },
  ],
  unknown: ["api1: set seen_in4 is full: what is not listed is UNKNOWN"],
};
const observations = () => observed;

describe("weft denials and flows", () => {
  it("name who, what, how often, by what, what would allow it, and what is not known", async () => {
    expect((await weft(["denials"], { observations })).out).toEqual(
      [
        "SOURCE                   DESTINATION  PORT           COUNT  LAST      REFUSED BY              WOULD ALLOW",
        "user mallory on web1     api on api1  http 8080/tcp  1266   60 s ago  default                 - { name: x, from: [x], to: api, ports: [http] }",
        "no identity, 10.77.0.9   api on api1  http 8080/tcp  4      60 s ago  no-guests (m.yaml:9)    take the source out of policy no-guests",
        "node hub                 api on api1  http 8080/tcp  4      60 s ago  audit only: default     - { name: x, from: [x], to: api, ports: [http] }",
        "api1: set seen_in4 is full: what is not listed is UNKNOWN",
      ].map((line) =>
        expect.stringMatching(
          new RegExp(`^${line.replaceAll(/[[\](){}.\\|?*+^$]/g, "\\$&").replaceAll(/ {2,}/g, " +")}$`),
        ),
      ),
    );
    expect((await weft(["flows"], { observations })).out.slice(0, 2)).toEqual([
      expect.stringMatching(/^SOURCE +DESTINATION +PORT +COUNT +LAST +WITNESS$/),
      expect.stringMatching(
        /^web on web1 +api on api1 +http 8080\/tcp +4 +60 s ago +kernels of web1 and api1$/,
      ),
    ]);
  });

  it("are JSON of one shape", async () => {
    const asked: string[] = [];
    const answers = {
      observations: (node: string) => {
        asked.push(node);
        return observed;
      },
    };
    const denials = JSON.parse((await weft(["denials", "--json", "--node", "api1"], answers)).out.join("\n"));
    expect(asked).toEqual(["api1"]);
    expect(denials.flows).toHaveLength(3);
    expect(denials.flows[1]).toEqual({
      kind: "denied",
      source: { kind: "none", name: null, node: null, address: "10.77.0.9", spiffeId: null },
      destination: { ...api, spiffeId: "spiffe://mesh.internal/api" },
      protocol: "tcp",
      port: 8080,
      portName: "http",
      count: 4,
      lastSeen: after(-60).toISOString(),
      witness: "kernel of api1",
      refusedBy: "no-guests",
      file: "m.yaml",
      line: 9,
      wouldAllow: null,
    });
    const flows = JSON.parse((await weft(["flows", "--json"], { observations })).out.join("\n"));
    expect(flows).toMatchObject({
      flows: [{ kind: "allowed", count: 4 }],
      unknown: [expect.stringContaining("full")],
    });
  });

  it("--watch tells each once, and again when it grows", async () => {
    const stop = new AbortController();
    let looks = 0;
    const answers = {
      observations: () => {
        looks++;
        if (looks === 3) stop.abort();
        return { ...observed, flows: [flow("denied", web, { count: looks === 1 ? 1n : 2n })], unknown: [] };
      },
    };
    const { out } = await weft(["denials", "--watch"], answers, stop.signal);
    expect(out.map((line) => /refused (\d+) times/.exec(line)?.[1])).toEqual(["1", "2"]);
    expect(out[0]).toContain(
      "web on web1 -> api on api1 http 8080/tcp refused 1 times by default; - { name: x",
    );
  }, 10_000);
});

describe("weft graph", () => {
  it("draws what was seen over what is declared", async () => {
    expect((await weft(["graph"], { observations })).out).toEqual([
      "10.77.0.9",
      "  --x api  http 8080/tcp x4  refused (no-guests)",
      "mallory@web1",
      "  --x api  http 8080/tcp x1266  refused (default)",
      "shop",
      "  -.-> api  http 8080/tcp  allowed, not seen (shop-to-api)",
      "web",
      "  --> api  http 8080/tcp x4  allowed and used (web-to-api)",
    ]);
  });

  it("speaks Mermaid, DOT and SVG, and no other", async () => {
    const drawn = async (format: string) => (await weft(["graph", "--format", format], { observations })).out;
    expect(await drawn("mermaid")).toEqual(
      expect.arrayContaining(["flowchart LR", '  n4 -->|"http 8080/tcp x4"| n1']),
    );
    expect((await drawn("dot")).join("\n")).toMatch(
      /^digraph weft \{[\s\S]*"shop" -> "api" \[[^\]]*dashed[\s\S]*\}$/,
    );
    const svg = (await drawn("svg")).join("\n");
    expect(svg).toMatch(/^<svg [\s\S]*<\/svg>$/);
    expect(svg.match(/<line /g)).toHaveLength(4);
    const { code, err } = await weft(["graph", "--format", "png"], { observations });
    expect([code, err.join(" ")]).toEqual([2, expect.stringContaining("mermaid")]);
  });
});
