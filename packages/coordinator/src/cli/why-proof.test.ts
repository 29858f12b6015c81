// `weft why --prove`: what is asked, what is said of a real connection, and how the command ends, over a real control
// socket.
import { afterEach, describe, expect, it } from "@jest/globals";
import type { WhyRequest } from "@weft/shared/gen/weft/v1/control";
import type { Proof } from "@weft/shared/gen/weft/v1/probe";
import { capturedTerminal } from "../../../../test/support/captured-terminal.ts";
import {
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

const proof: Proof = {
  at: after(0),
  node: "web1",
  user: "web",
  outcome: "accepted",
  errno: "",
  agreement: "agrees",
  sentence: "a connection of user web on web1 to 10.77.0.12:8080 at TIME was accepted",
  note: "agrees with the rules",
};

async function why(proofs: readonly (Proof | undefined)[], ...options: string[]) {
  const terminal = capturedTerminal();
  const asked: WhyRequest[] = [];
  const server = await startFakeControlServer({
    why(request) {
      asked.push(request);
      const path = {
        from: "web on web1",
        to: "api on api1",
        source: "10.77.0.11",
        destination: "10.77.0.12",
        protocol: "tcp",
        port: 8080,
        verdict: "allowed",
        sentence: "every kernel on the way lets it pass",
        strength: "",
        steps: [],
        patch: "",
        patchNote: "",
      };
      return { leftOut: 0, paths: proofs.map((each) => ({ ...path, proof: each })) };
    },
  });
  servers.push(server);
  const code = await runCli(["why", "web", "api", ...options, "--socket", server.socketPath], {
    terminal,
    signal: new AbortController().signal,
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
  return { code, out: terminal.outLines, asked };
}

const denied: Proof = {
  ...proof,
  outcome: "unanswered",
  agreement: "disagrees",
  sentence: "a connection was unanswered within 2 s",
  note: "the rules let it through, and nothing came back: a firewall between",
};
const untried: Proof = {
  ...proof,
  at: undefined,
  outcome: "not-tried",
  agreement: "open",
  sentence: "web1 made no connection: it is not connected",
  note: "",
};

describe("weft why --prove", () => {
  it("asks for a connection only when told to", async () => {
    expect((await why([proof], "--prove")).asked).toMatchObject([{ prove: true }]);
    const { asked, out } = await why([undefined]);
    expect(asked).toMatchObject([{ prove: false }]);
    expect(out.join("\n")).not.toContain("proved");
  });

  it("says what became of it beside the verdict, and ends well when that agrees", async () => {
    const { code, out } = await why([proof], "--prove");
    expect(out.slice(0, 3)).toEqual([
      "ALLOWED  web on web1 -> api on api1 10.77.0.12:8080/tcp",
      "  every kernel on the way lets it pass",
      "  proved: a connection of user web on web1 to 10.77.0.12:8080 at TIME was accepted; agrees with the rules",
    ]);
    expect(code).toBe(0);
  });

  it("says loudly that it disagrees, leaves the verdict, and ends with 1, as JSON too", async () => {
    const { code, out } = await why([proof, denied], "--prove");
    expect(out).toEqual(
      expect.arrayContaining([
        "  proved: a connection was unanswered within 2 s",
        "  DISAGREES: the rules let it through, and nothing came back: a firewall between",
      ]),
    );
    expect(out.filter((line) => line.startsWith("ALLOWED"))).toHaveLength(2);
    expect(code).toBe(1);
    expect((await why([proof, denied], "--prove", "--json")).code).toBe(1);
  });

  it("says why there was no connection, which is no disagreement", async () => {
    const { code, out } = await why([untried], "--prove");
    expect(out).toContain("  not proved: web1 made no connection: it is not connected");
    expect(out.join("\n")).not.toContain("DISAGREES");
    expect(code).toBe(0);
  });

  it("is JSON of one shape, with null for what is not there", async () => {
    const { out } = await why([proof, denied, untried, undefined], "--prove", "--json");
    const { paths } = JSON.parse(out.join("\n")) as { paths: { verdict: string; proof: unknown }[] };
    expect(paths.map((path) => path.proof)).toEqual([
      {
        at: after(0).toISOString(),
        user: "web",
        node: "web1",
        outcome: "accepted",
        errno: null,
        agrees: true,
        sentence: proof.sentence,
        note: "agrees with the rules",
      },
      expect.objectContaining({ outcome: "unanswered", agrees: false }),
      expect.objectContaining({ at: null, outcome: "not-tried", agrees: null, note: null }),
      null,
    ]);
    expect(paths.map(({ verdict }) => verdict)).toEqual(Array(4).fill("allowed"));
  });
});
