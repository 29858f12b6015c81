// In: nothing. Out: the whole of a rollout but the wire: authority, book and desk over a real store, nodes of all kinds, and
// a coordinator that can be killed before and after any of its transactions.

import { Fleet } from "../../packages/coordinator/src/fleet/fleet.ts";
import { banningCompiler } from "../../packages/coordinator/src/rollout/banning-compiler.ts";
import { courseWord } from "../../packages/coordinator/src/rollout/course-word.ts";
import { resume } from "../../packages/coordinator/src/rollout/generations.ts";
import { MeshAuthority } from "../../packages/coordinator/src/rollout/mesh-authority.ts";
import type { MeshCompiler } from "../../packages/coordinator/src/rollout/mesh-compiler.ts";
import { RolloutDesk } from "../../packages/coordinator/src/rollout/rollout-desk.ts";
import { SqliteStore } from "../../packages/coordinator/src/store/sqlite-store.ts";
import type { Store } from "../../packages/coordinator/src/store/store.ts";
import type { DesiredState } from "../../packages/shared/src/model/desired.ts";
import type { Mesh } from "../../packages/shared/src/model/mesh.ts";
import { contentDigest } from "../../packages/shared/src/plan/content-digest.ts";
import { byText } from "../../packages/shared/src/plan/text-order.ts";
import { emptyContent } from "./desired.ts";
import { reportOf } from "./report.ts";

/** A mesh file here: its version, its nodes, whether it is rolled out in waves. */
export interface File {
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
  digest: contentDigest,
  entries: () => [],
  changes: () => [],
};

class Killed extends Error {}

/** What a node does with a version it is given. */
export type Fate = "enforced" | "reverted" | "failed" | "silent";

export class World {
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
    const banning = banningCompiler(compiler, whole.bans);
    const parts = {
      store,
      compiler: banning,
      mesh: "shop",
      trustDomain: "mesh.internal",
      hub: "hub",
      now,
      word,
    };
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
    this.fleet.note(node, {
      kind: "wanted",
      wanted: { generation, digest, revision, enforcement: "nftables" },
    });
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
      keepEstablished: true,
      acceptRisks: [],
      operator: undefined,
      atOnce: change.atOnce ?? false,
      restores: change.restores ?? 0,
    });
    if (outcome.kind === "refused") throw new Error(outcome.message);
    for (const state of outcome.changed) this.#give(state);
    this.desk.look();
  }

  ban(address: string): void {
    this.store.bans.put({
      node: "x",
      addresses: [address],
      at: new Date(this.now),
      claimedBy: "ada",
      reason: "",
    });
    for (const state of this.authority.refresh()) this.#give(state);
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
    return [...new Set(this.given.filter((each) => each.version === version).map(({ node }) => node))].sort(
      byText,
    );
  }
}

export const names = ["a", "b", "c", "d", "e"];
export const file = (version: string, change: Partial<File> = {}): File => ({
  version,
  nodes: names,
  inWaves: true,
  ...change,
});

export function settled(): World {
  const world = new World();
  for (const node of names) world.connect(node);
  world.apply(file("v1", { inWaves: false }));
  for (const node of names) world.work(node);
  return world;
}
