// The whole of a rollout but the wire: authority, book and desk over a real store, nodes of all kinds, and a coordinator
// that is killed before and after any of its transactions.
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import "../../../../test/support/property-seed.ts";
import type { DesiredState } from "@weft/shared/model/desired";
import type { Mesh } from "@weft/shared/model/mesh";
import { emptyContent } from "../../../../test/support/desired.ts";
import { reportOf } from "../../../../test/support/report.ts";
import { Fleet } from "../fleet/fleet.ts";
import { SqliteStore } from "../store/sqlite-store.ts";
import type { Store } from "../store/store.ts";
import { courseWord } from "./course-word.ts";
import { resume } from "./generations.ts";
import { MeshAuthority } from "./mesh-authority.ts";
import type { MeshCompiler } from "./mesh-compiler.ts";
import { RolloutDesk } from "./rollout-desk.ts";

/** A mesh file here: its version, its nodes, whether it is rolled out in waves. */
interface File {
  readonly version: string;
  readonly nodes: readonly string[];
  readonly inWaves: boolean;
}

const rollout = {
  canary: 1,
  wave: { unit: "nodes", size: 2 },
  stopOn: ["reverted", "failed"],
  deadlineSeconds: 120,
} as const;

const compiler: MeshCompiler = {
  load([source]) {
    const { nodes, inWaves, version } = JSON.parse(source!.text) as File;
    const mesh = {
      name: "shop",
      trustDomain: "mesh.internal",
      nodes: nodes.map((name) => ({ name, address: "10.77.0.11" })),
      dns: { zone: version },
      rollout: inWaves ? rollout : undefined,
    };
    return { mesh: mesh as unknown as Mesh, problems: [] };
  },
  compile: (mesh) =>
    new Map(
      mesh.nodes.map(({ name }) => {
        const content = emptyContent(name);
        return [name, { ...content, dns: { ...content.dns, zone: mesh.dns.zone } }];
      }),
    ),
  entries: () => [],
  changes: () => [],
};

class Killed extends Error {}

/** What a node does with a version it is given. */
type Fate = "enforced" | "reverted" | "failed" | "silent";

class World {
  readonly store = new SqliteStore(":memory:");
  readonly given: { readonly node: string; readonly version: string; readonly generation: number }[] = [];
  readonly fates = new Map<string, Fate>();
  readonly connected = new Set<string>();
  now = new Date("2026-03-01T10:00:00Z").getTime();
  fleet = new Fleet();
  authority!: MeshAuthority;
  desk!: RolloutDesk;
  /** Transactions until the coordinator dies; every one counts twice: before it and after it. */
  killIn = Number.POSITIVE_INFINITY;
  /** What each node was given and has not looked at. */
  readonly #inbox = new Map<string, DesiredState>();
  readonly #held = new Map<string, { readonly generation: number; readonly digest: string }>();

  constructor() {
    this.start();
  }

  #maybeDie(): void {
    this.killIn -= 1;
    if (this.killIn < 0) throw new Killed("killed");
  }

  start(): void {
    this.killIn = Number.POSITIVE_INFINITY;
    this.fleet = new Fleet();
    const now = () => new Date(this.now);
    const startedAt = now();
    const transaction: Store["transaction"] = (work) => {
      this.#maybeDie();
      const result = this.store.transaction(work);
      this.#maybeDie();
      return result;
    };
    const { store: whole, fleet } = this;
    const store = { ...whole, transaction, close: () => {} } as unknown as Store;
    const word = (node: string) => courseWord(fleet.view(node), now(), startedAt);
    const parts = { store, compiler, mesh: "shop", trustDomain: "mesh.internal", hub: "hub", now, word };
    this.authority = new MeshAuthority({ ...parts, riskSources: [] });
    this.authority.start();
    const log = { info() {}, warn() {}, error() {} };
    this.desk = new RolloutDesk({
      ...parts,
      authority: this.authority,
      fleet,
      give: (states) => {
        for (const state of states) this.#give(state);
      },
      meshChanged: () => {},
      log,
    });
    for (const state of whole.desired.list()) this.#want(state);
    for (const node of this.connected) this.connect(node);
    this.desk.look();
  }

  /** As by `kill -9`: what was sent may or may not have arrived. */
  surviving(work: () => void): void {
    try {
      work();
    } catch (failure) {
      if (!(failure instanceof Killed)) throw failure;
      this.start();
    }
  }

  #want({ node, generation, digest, revision }: DesiredState): void {
    this.fleet.note(node, { kind: "wanted", wanted: { generation, digest, revision } });
  }

  #give(state: DesiredState): void {
    this.#want(state);
    if (!this.connected.has(state.node)) return;
    this.given.push({ node: state.node, version: state.dns.zone, generation: state.generation });
    this.#inbox.set(state.node, state);
  }

  apply(file: File, change: { readonly atOnce?: boolean; readonly restores?: number } = {}): void {
    const outcome = this.authority.apply({
      sources: [{ name: "mesh.yaml", text: JSON.stringify(file) }],
      reason: "",
      claimedBy: "ada",
      baseRevision: 0,
      confirmTimeoutSeconds: 7,
      acceptRisks: [],
      operator: undefined,
      atOnce: change.atOnce ?? false,
      restores: change.restores ?? 0,
    });
    if (outcome.kind === "refused") throw new Error(outcome.message);
    for (const state of outcome.changed) this.#give(state);
    this.desk.look();
  }

  connect(node: string): void {
    const at = new Date(this.now);
    this.connected.add(node);
    this.fleet.note(node, { kind: "enrolment", state: "enrolled", at });
    this.fleet.note(node, { kind: "connected", at, agentVersion: "" });
    const held = this.#held.get(node) ?? { generation: 0, digest: "" };
    const wanted = this.store.desired.get(node);
    if (wanted !== undefined && resume(held, wanted).kind === "send") this.#give(wanted);
    else this.#say(node, held, "enforced");
  }

  disconnect(node: string): void {
    this.connected.delete(node);
    this.#inbox.delete(node);
    this.fleet.note(node, { kind: "disconnected" });
  }

  #say(node: string, { generation, digest }: { generation: number; digest: string }, phase: Fate): void {
    if (phase === "silent") return;
    const held = this.#held.get(node);
    const report = reportOf({
      generation,
      digest,
      phase,
      enforcedDigest: held?.digest ?? "",
      conditions:
        phase === "reverted" ? [{ code: "POLICY_REVERTED", detail: "port 22", since: new Date(0) }] : [],
    });
    this.fleet.note(node, { kind: "report", at: new Date(this.now), report });
  }

  /** The node looks at what it was given. */
  work(node: string): void {
    const state = this.#inbox.get(node);
    if (state === undefined || !this.connected.has(node)) return;
    const held = this.#held.get(node);
    // What it carries already needs no proof.
    const fate =
      held?.digest === state.digest
        ? "enforced"
        : (this.fates.get(`${node} ${state.dns.zone}`) ?? "enforced");
    if (fate === "silent") return;
    this.#inbox.delete(node);
    if (fate === "enforced") this.#held.set(node, state);
    this.#say(node, state, fate);
  }

  pass(seconds: number): void {
    this.now += seconds * 1000;
    for (const node of this.connected) this.fleet.note(node, { kind: "seen", at: new Date(this.now) });
    this.desk.look();
  }

  versionOf(node: string): string | undefined {
    return this.store.desired.get(node)?.dns.zone;
  }

  /** Whom a version was sent to. */
  reached(version: string): string[] {
    return [...new Set(this.given.filter((each) => each.version === version).map(({ node }) => node))].sort();
  }
}

const names = ["a", "b", "c", "d", "e"];
const file = (version: string, change: Partial<File> = {}): File => ({
  version,
  nodes: names,
  inWaves: true,
  ...change,
});

function settled(): World {
  const world = new World();
  for (const node of names) world.connect(node);
  world.apply(file("v1", { inWaves: false }));
  for (const node of names) world.work(node);
  return world;
}

describe("a rollout", () => {
  it("goes to the canary, then wave after wave, each when the one before is in force", () => {
    const world = settled();
    world.apply(file("v2"));
    expect(world.reached("v2")).toEqual(["a"]);
    expect(world.desk.status()).toMatchObject({
      state: "running",
      revision: 2,
      base: 1,
      wave: 1,
      waves: 3,
      waitingFor: ["a"],
      nodes: 5,
      given: 1,
    });
    expect(world.store.desired.get("a")?.confirmTimeoutSeconds).toBe(7);
    world.work("a");
    expect(world.reached("v2")).toEqual(["a", "b", "c"]);
    world.work("b");
    expect(world.reached("v2")).toEqual(["a", "b", "c"]);
    world.work("c");
    expect(world.reached("v2")).toEqual(names);
    for (const node of names) world.work(node);
    expect(world.store.rollouts.get(2)?.state).toBe("done");
    expect(world.desk.status()).toBeUndefined();
    expect(world.store.audit.list(5).map(({ action }) => action)).toEqual([
      "rolled out",
      "wave 3 of 3 began",
      "wave 2 of 3 began",
      "wave 1 of 3 began",
      "applied",
    ]);
  });

  it("that undoes itself on the canary never reaches another, and is taken back as a revision of its own", () => {
    const world = settled();
    world.fates.set("a v2", "reverted");
    world.apply(file("v2"));
    world.work("a");
    expect(world.reached("v2")).toEqual(["a"]);
    expect(world.given.at(-1)).toEqual({ node: "a", version: "v1", generation: 3 });
    expect(world.store.desired.get("a")?.confirmTimeoutSeconds).toBe(7);
    expect(world.authority.revision).toBe(3);
    expect(world.store.revisions.current()).toMatchObject({
      restores: 1,
      claimedBy: "weft-coordinator",
      reason: "revision 2 was stopped: a REVERTED: port 22",
    });
    expect(world.desk.status()).toMatchObject({ state: "stopped", revision: 2, takenBackAs: 3 });
    expect(world.store.desired.get("b")).toMatchObject({ generation: 1, revision: 1 });
    // the same file again is a new try
    world.fates.clear();
    world.apply(file("v2"));
    world.work("a");
    expect(world.reached("v2")).toEqual(["a", "b", "c"]);
  });

  it("that fails in a later wave takes back those before it, too", () => {
    const world = settled();
    world.fates.set("c v2", "failed");
    world.apply(file("v2"));
    for (const node of ["a", "b", "c"]) world.work(node);
    expect(names.map((node) => world.versionOf(node))).toEqual(["v1", "v1", "v1", "v1", "v1"]);
    expect(world.reached("v2")).toEqual(["a", "b", "c"]);
    expect(world.desk.status()?.why).toBe("c failed: the node gave no reason");
    for (const node of names) world.work(node);
    expect(
      names.every(
        (node) =>
          courseWord(world.fleet.view(node), new Date(world.now), new Date(0)).standing === "enforced",
      ),
    ).toBe(true);
  });

  it("waits for nobody who is not there; on return they get what then holds, never what was stopped", () => {
    const world = settled();
    world.disconnect("b");
    world.pass(61);
    world.apply(file("v2"));
    for (const node of ["a", "c", "d", "e"]) world.work(node);
    // b comes last in order: the rollout is over without it
    expect(world.store.rollouts.get(2)?.state).toBe("done");
    expect(world.reached("v2")).not.toContain("b");
    world.connect("b");
    expect(world.reached("v2")).toContain("b");
    world.work("b");

    world.disconnect("e");
    world.pass(61);
    world.fates.set("c v3", "reverted");
    world.apply(file("v3"));
    for (const node of ["a", "b", "c"]) world.work(node);
    expect(world.desk.status()).toMatchObject({ state: "stopped" });
    world.connect("e");
    expect(world.reached("v3")).not.toContain("e");
    expect(world.versionOf("e")).toBe("v2");
  });

  it("is stopped by a node that falls silent, and by its deadline", () => {
    const silent = settled();
    silent.fates.set("a v2", "silent");
    silent.apply(file("v2"));
    silent.disconnect("a");
    silent.pass(59);
    expect(silent.desk.status()?.state).toBe("running");
    silent.pass(3);
    expect(silent.desk.status()).toMatchObject({
      state: "stopped",
      why: "a fell silent after it was given the change",
    });

    const late = settled();
    late.fates.set("a v2", "silent");
    late.apply(file("v2"));
    late.pass(120);
    expect(late.desk.status()?.state).toBe("running");
    late.pass(1);
    expect(late.desk.status()).toMatchObject({ state: "stopped", why: "not in force after 120 s on a" });
  });

  it("gives way to a newer one, whose taking back leads to what was in force before both", () => {
    const world = settled();
    world.apply(file("v2"));
    world.work("a");
    world.fates.set("a v3", "reverted");
    world.apply(file("v3"));
    expect(world.store.rollouts.get(2)).toMatchObject({ state: "superseded", endedBy: 3 });
    expect(world.store.rollouts.get(3)).toMatchObject({ base: 1 });
    world.work("a");
    for (const node of names) world.work(node);
    expect(names.map((node) => world.versionOf(node))).toEqual(["v1", "v1", "v1", "v1", "v1"]);
  });

  it("is everywhere at once when that is asked for, also for one that runs", () => {
    const world = settled();
    world.apply(file("v2"), { atOnce: true });
    expect(world.reached("v2")).toEqual(names);
    for (const node of names) world.work(node);
    world.apply(file("v3"));
    expect(world.reached("v3")).toEqual(["a"]);
    world.apply(file("v3"), { atOnce: true });
    expect(world.reached("v3")).toEqual(names);
    expect(world.store.rollouts.get(3)?.state).toBe("done");
  });

  it("takes nodes that only the stopped file names out again", () => {
    const world = settled();
    world.apply(file("v2", { nodes: [...names, "f"] }));
    expect(world.versionOf("f")).toBeUndefined();
    for (const node of names) world.work(node);
    for (const node of names) world.work(node);
    expect(world.store.rollouts.get(2)?.state).toBe("done");
    expect(world.versionOf("f")).toBe("v2");
    world.fates.set("c v3", "failed");
    world.apply(file("v3", { nodes: [...names, "f", "g"] }));
    for (const node of names) world.work(node);
    expect(world.versionOf("g")).toBeUndefined();
    expect(world.versionOf("f")).toBe("v2");
  });
});

describe("a coordinator killed before and after each of its transactions", () => {
  it.each([...Array.from({ length: 12 }).keys()])("goes on where it was: a good one (%d)", (kill) => {
    const world = settled();
    world.killIn = kill;
    world.surviving(() => world.apply(file("v2")));
    // The operator sees that it failed, and does it again.
    world.surviving(() => world.apply(file("v2")));
    for (let round = 0; round < 6; round++) for (const node of names) world.surviving(() => world.work(node));
    world.surviving(() => world.pass(1));
    expect(names.map((node) => world.versionOf(node))).toEqual(["v2", "v2", "v2", "v2", "v2"]);
    expect(world.store.rollouts.running()).toBeUndefined();
  });

  it.each([...Array.from({ length: 12 }).keys()])("or stops and takes back: a bad one (%d)", (kill) => {
    const world = settled();
    world.fates.set("c v2", "reverted");
    world.apply(file("v2"));
    world.killIn = kill;
    for (let round = 0; round < 6; round++) for (const node of names) world.surviving(() => world.work(node));
    for (let round = 0; round < 4; round++) world.surviving(() => world.pass(1));
    for (const node of names) world.surviving(() => world.work(node));
    expect(names.map((node) => world.versionOf(node))).toEqual(["v1", "v1", "v1", "v1", "v1"]);
    expect(world.reached("v2")).toEqual(["a", "b", "c"]);
    expect(world.store.rollouts.get(2)?.state).toBe("stopped");
    expect(world.store.revisions.list().filter(({ restores }) => restores === 1)).toHaveLength(1);
  });
});

describe("whatever happens", () => {
  const act = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constant("work" as const), node: fc.constantFrom(...names) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("connect" as const), node: fc.constantFrom(...names) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("disconnect" as const), node: fc.constantFrom(...names) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("pass" as const), seconds: fc.integer({ min: 1, max: 50 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("apply" as const), inWaves: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("kill" as const), after: fc.integer({ min: 0, max: 5 }) }),
    },
  );
  const fate = fc.constantFrom<Fate>(
    "enforced",
    "enforced",
    "enforced",
    "enforced",
    "reverted",
    "failed",
    "silent",
  );

  it("nobody is given what was stopped, nobody before his wave, and it ends", () => {
    fc.assert(
      fc.property(
        fc.array(act, { maxLength: 60 }),
        fc.array(fate, { minLength: 40, maxLength: 40 }),
        (acts, fates) => {
          const world = settled();
          let version = 1;
          let seen = 0;
          const check = () => {
            const rollouts = world.store.rollouts.list();
            const stopped = new Set(
              rollouts.filter(({ state }) => state === "stopped").map(({ revision }) => revision),
            );
            for (const state of world.store.desired.list()) expect(stopped.has(state.revision)).toBe(false);
            const running = rollouts.find(({ state }) => state === "running");
            for (const node of running?.course.waves.slice(running.course.begun).flat() ?? [])
              expect(world.store.desired.get(node)?.revision).not.toBe(running?.revision);
            // what was sent is what was on record
            for (const { node, generation } of world.given.slice(seen))
              expect(world.store.desired.get(node)!.generation).toBeGreaterThanOrEqual(generation);
            seen = world.given.length;
          };
          for (const each of acts) {
            world.surviving(() => {
              if (each.kind === "work") world.work(each.node);
              else if (each.kind === "connect") world.connect(each.node);
              else if (each.kind === "disconnect") world.disconnect(each.node);
              else if (each.kind === "pass") world.pass(each.seconds);
              else if (each.kind === "kill") world.killIn = each.after;
              else {
                version += 1;
                for (const [index, node] of names.entries())
                  world.fates.set(`${node} v${version}`, fates[(version * 5 + index) % fates.length]!);
                world.apply(file(`v${version}`, { inWaves: each.inWaves }));
              }
            });
            check();
          }
          for (let round = 0; round < 40 && world.store.rollouts.running() !== undefined; round++) {
            for (const node of names) world.surviving(() => world.work(node));
            world.surviving(() => world.pass(30));
            check();
          }
          expect(world.store.rollouts.running()).toBeUndefined();
        },
      ),
      { numRuns: process.env["WEFT_LONG"] === "1" ? 5_000 : 150 },
    );
  });
});
