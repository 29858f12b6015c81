import { describe, expect, it } from "@jest/globals";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { ApplyEvent } from "@weft/shared/gen/weft/v1/control";
import { capturedTerminal } from "../../../../test/support/captured-terminal.ts";
import { FakeMachine } from "../../../../test/support/fake-machine.ts";
import { sampleFleet, sampleNode } from "../../../../test/support/fleet-sample.ts";
import type { CliContext } from "../cli/context.ts";
import type { Control } from "../cli/control.ts";
import { loadMesh } from "../mesh/validate.ts";
import type { SpireServer } from "../spire/spire-server.ts";
import { openRoot, sealRoot } from "../trust/mesh-root.ts";
import { parseOnlineKey } from "../trust/online-key.ts";
import { parseInitWish } from "./init-wish.ts";
import { initialise } from "./initialise.ts";
import { places, units } from "./places.ts";

const passphrase = "correct horse battery";
const options = {
  name: "shop",
  address: "10.77.0.10",
  node: "hub",
  trustDomain: "mesh.internal",
  agent: true,
};
const cheapSeal: typeof sealRoot = (root, rest) =>
  sealRoot(root, { ...rest, cost: { N: 2 ** 15, r: 8, p: 1 } });
const now = new Date("2026-03-01T12:00:00Z");

/** What the machine's coordinator and SPIRE server would say; both are there only while their units run. */
class World {
  readonly machine = new FakeMachine();
  readonly applied: string[] = [];
  readonly terminal = capturedTerminal([passphrase, passphrase]);
  verdict: "ENFORCED" | "APPLYING" = "ENFORCED";
  hubName = "hub";

  context(): CliContext {
    const unused = () => {
      throw new Error("init does not use this");
    };
    return {
      terminal: this.terminal,
      signal: new AbortController().signal,
      now: () => now,
      connect: () => this.#control(),
      connectSpire: () => this.#spire(),
      readSources: unused,
      loadMesh: unused,
      meshJsonSchema: unused,
      writeSecret: unused,
      claimedBy: "ann",
      operator: undefined,
      machine: this.machine,
      setExitCode: unused,
    };
  }

  #spire(): SpireServer {
    const bundle = async () => {
      if (!this.machine.active.has(units.spireServer)) throw new WeftError("WEFT-E501", "away");
      return { trustDomain: "mesh.internal", roots: [], taintedRoots: [], sequence: 1 };
    };
    return { bundle, close: () => undefined } as Partial<SpireServer> as SpireServer;
  }

  #control(): Control {
    const { machine, applied } = this;
    const hub = () => ({
      ...sampleNode,
      name: this.hubName,
      state: machine.joinedWith === undefined ? ("Absent" as const) : ("Online" as const),
      verdict: this.verdict,
    });
    return {
      plan: async () => ({
        problems: [],
        baseRevision: 0,
        nodes: [],
        risks: [],
      }),
      async *apply(request): AsyncGenerator<ApplyEvent> {
        applied.push(request.sources[0]?.text ?? "");
        yield {
          event: {
            $case: "accepted",
            value: {
              revision: BigInt(applied.length),
              nodes: [],
              unchanged: false,
              replay: undefined,
              risks: [],
              unneededRisks: [],
            },
          },
        };
      },
      meshFile: async () => [],
      history: async () => ({
        revisions: applied.map((_, index) => ({
          revision: BigInt(index + 1),
          at: now,
          claimedBy: "",
          reason: "",
          digest: "",
          outcome: "in-force",
          outcomeDetail: "",
          restores: 0n,
        })),
      }),
      async *watchStatus() {
        yield { ...sampleFleet, nodes: [hub()] };
      },
      why: async () => ({ paths: [], leftOut: 0 }),
      observations: async () => ({ at: now, flows: [], declared: [], unknown: [] }),
      showNode: async () => ({ status: hub(), joined: undefined, enrolmentKeySha256: "", services: [] }),
      addNode: async () => ({
        token: "hub.secret",
        pin: "sha256:aa",
        coordinatorAddress: "10.77.0.10",
        expires: now,
      }),
      removeNode: async () => ({ done: [] }),
      banNode: async () => ({ done: [], nodes: [], missing: [] }),
      unbanNode: async () => ({ done: [], nodes: [], missing: [] }),
      async version() {
        if (machine.active.has(units.coordinator)) return "1.0.0";
        throw new WeftError("WEFT-E500", "away");
      },
      close: () => undefined,
    };
  }

  init(change: Partial<typeof options & { passphraseFile: string }> = {}): Promise<void> {
    return initialise(
      parseInitWish({ ...options, ...change }),
      this.context(),
      "/run/weft/control.sock",
      cheapSeal,
    );
  }

  text(path: string): string {
    return this.machine.files.get(path)?.text ?? "";
  }
}

describe("weft init", () => {
  it("on a fresh machine lays keys, configurations and mesh file, runs everything and joins the hub", async () => {
    const world = new World();
    await world.init();
    const { machine, terminal } = world;
    const key = parseOnlineKey(world.text(places.onlineKey));
    expect(openRoot(world.text(places.sealedRoot), passphrase).pin).toBe(key.pin);
    expect(machine.files.get(places.onlineKey)).toMatchObject({ mode: 0o600, uid: 900 });
    expect(machine.files.get(places.sealedRoot)).toMatchObject({ mode: 0o600, uid: 0 });
    expect(JSON.parse(world.text(places.coordinatorConfig))).toEqual({
      mesh: "shop",
      trustDomain: "mesh.internal",
      address: "10.77.0.10",
      hub: "hub",
    });
    expect(machine.active).toEqual(new Set([units.spireServer, units.coordinator]));
    expect(world.applied).toEqual([world.text(places.meshFile)]);
    expect(machine.joinedWith).toBe("hub.secret");
    const narration = terminal.outLines.join("\n");
    expect(narration).toContain(`pin: ${key.pin}`);
    expect(narration).toContain("move this file off the machine");
    expect(narration.trimEnd()).toMatch(/weft node add web1$/);
    // Neither the passphrase nor the token in argv or on the screen.
    expect([...machine.commands, narration].join("\n")).not.toMatch(/hub\.secret|correct horse/);
  });

  it("writes a first mesh file that is valid as it is, and does not mistake names for YAML's own words", async () => {
    const world = new World();
    world.hubName = "123";
    await world.init({ name: "no", node: "123", address: "fd77::10" });
    const loaded = loadMesh([{ name: "mesh.yaml", text: world.text(places.meshFile) }], {
      coordinatorNode: "123",
    });
    expect(loaded.problems).toEqual([]);
    expect(loaded.mesh).toMatchObject({ name: "no", nodes: [{ name: "123", address: "fd77::10" }] });
  }, 20_000);

  it("run again changes nothing and asks for nothing", async () => {
    const world = new World();
    await world.init();
    const before = new Map(world.machine.files);
    await world.init();
    expect(world.machine.files).toEqual(before);
    expect(world.applied).toHaveLength(1);
    expect(world.machine.commands.filter((line) => line.startsWith("systemctl restart"))).toHaveLength(2);
  });

  it("ends the same after a loss of power before any one of its changes", async () => {
    const whole = new World();
    await whole.init();
    for (let at = 0; at < whole.machine.changes; at++) {
      const world = new World();
      world.machine.powerLossAt = at;
      await expect(world.init()).rejects.toThrow("power was lost");
      world.machine.powerLossAt = undefined;
      const terminal = capturedTerminal([passphrase, passphrase]);
      Object.assign(world.terminal, { askSecret: terminal.askSecret });
      await world.init();
      expect(new Set(world.machine.files.keys())).toEqual(new Set(whole.machine.files.keys()));
      const key = parseOnlineKey(world.text(places.onlineKey));
      expect(openRoot(world.text(places.sealedRoot), passphrase).pin).toBe(key.pin);
      expect(world.applied).toHaveLength(1);
      expect(world.machine.active).toEqual(whole.machine.active);
      expect(world.machine.enabled).toEqual(whole.machine.enabled);
      expect(world.machine.joinedWith).toBe("hub.secret");
    }
  }, 120_000);

  it("without the sealed root goes on with the signing key that is there", async () => {
    const world = new World();
    await world.init();
    world.machine.files.delete(places.sealedRoot);
    await world.init();
    expect(world.machine.files.has(places.sealedRoot)).toBe(false);
    expect(world.terminal.outLines.at(-1)).toContain("weft node add");
  });

  it.each([
    ["another name", { name: "other" }],
    ["another trust domain", { trustDomain: "other.internal" }],
    ["another address", { address: "fd77::10" }],
    ["another hub", { node: "elsewhere" }],
  ])("refuses %s than the mesh it holds, and changes nothing", async (_what, change) => {
    const world = new World();
    await world.init();
    const before = world.machine.changes;
    await expect(world.init(change)).rejects.toMatchObject({ code: "WEFT-E101" });
    expect(world.machine.changes).toBe(before);
  });

  it("keeps a mesh file and a configuration that somebody edited", async () => {
    const world = new World();
    world.machine.files.set(places.meshFile, { text: "weft: v1 # mine", mode: 0o644, uid: 0 });
    await world.init();
    expect(world.applied).toEqual(["weft: v1 # mine"]);
    const edited = world.text(places.coordinatorConfig).replace("{", '{ "listen": "10.0.0.9",');
    world.machine.files.set(places.coordinatorConfig, { text: edited, mode: 0o644, uid: 0 });
    await world.init();
    expect(world.text(places.coordinatorConfig)).toBe(edited);
  });

  it.each([
    ["without root", "WEFT-E006", (world: World) => Object.assign(world.machine, { userId: 1000 }), {}],
    [
      "without the components",
      "WEFT-E007",
      (world: World) => void world.machine.files.delete(`${places.components}/coredns`),
      {},
    ],
    ["with a port taken", "WEFT-E007", (world: World) => void world.machine.takenPorts.add(7443), {}],
    ["with an address of another machine", "WEFT-E001", () => undefined, { address: "10.77.0.99" }],
    ["with a passphrase file that is missing", "WEFT-E001", () => undefined, { passphraseFile: "/none" }],
  ])("%s it stops before any change", async (_what, code, prepare, change) => {
    const world = new World();
    prepare(world);
    await expect(world.init(change)).rejects.toMatchObject({ code });
    expect(world.machine.changes).toBe(0);
  });

  it("with nobody to ask says so; with two different answers, too", async () => {
    const silent = new World();
    Object.assign(silent.terminal, { askSecret: async () => undefined });
    await expect(silent.init()).rejects.toMatchObject({
      code: "WEFT-E001",
      hint: expect.stringContaining("--passphrase-file"),
    });
    const wavering = new World();
    Object.assign(wavering.terminal, {
      askSecret: capturedTerminal([passphrase, `${passphrase}!`]).askSecret,
    });
    await expect(wavering.init()).rejects.toMatchObject({ code: "WEFT-E001" });
    expect(wavering.machine.changes).toBe(0);
  });

  it("ends with exit 5's error when the hub does not enforce", async () => {
    const world = new World();
    world.verdict = "APPLYING";
    await expect(world.init()).rejects.toMatchObject({ code: "WEFT-E102" });
  });

  it("--no-agent leaves the machine itself out", async () => {
    const world = new World();
    await world.init({ agent: false });
    expect(world.machine.joinedWith).toBeUndefined();
  });
});
