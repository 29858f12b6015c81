// Kills of agents between the steps of a change. In: a fleet. Out: where each agent died, told from what it left behind,
// and how often between each pair of steps.
import { readFileSync } from "node:fs";
import type { MachineProcess } from "../../../scripts/lab-src/machine-process.ts";
import { until } from "../../../scripts/quickstart-src/world.ts";
import type { DeadManFleet } from "./fleet.ts";

/** Between which steps; each begins where its name says. */
export const gaps = [
  "pending written",
  "staged in the kernel",
  "armed in the kernel",
  "record completed",
  "proof under way",
  "kernel confirmed",
  "previous kept",
  "renamed to confirmed",
  "record of it written",
] as const;
export type Gap = (typeof gaps)[number];

/** The moment at which a watcher kills, to land in the gap. */
const moments: Readonly<Record<Gap, string>> = {
  "pending written": "pending",
  "staged in the kernel": "staged",
  "armed in the kernel": "armed",
  "record completed": "completed",
  "proof under way": "proof",
  "kernel confirmed": "confirmed",
  "previous kept": "previous",
  "renamed to confirmed": "renamed",
  "record of it written": "recorded",
};

interface Left {
  readonly id: number;
  readonly pending: string;
  readonly record: "none" | "begun" | "complete";
  readonly staged: boolean;
  readonly armed: string;
  readonly kernel: string;
  readonly confirmed: string;
  readonly previous: string;
  readonly recorded: string;
  readonly proving: boolean;
  readonly seen: readonly string[];
}

/** undefined: before the first of them, after the last, or when its time was over. */
function gapOf(left: Left, old: string): Gap | undefined {
  if (left.kernel === old) {
    if (left.pending === "") return undefined;
    // its time may be over
    if (left.armed === "" && left.seen.includes("armed")) return undefined;
    if (left.armed === "") return left.staged ? "staged in the kernel" : "pending written";
    if (left.record !== "complete") return "armed in the kernel";
    return left.proving ? "proof under way" : "record completed";
  }
  if (left.pending !== "") return left.previous === old ? "previous kept" : "kernel confirmed";
  if (left.confirmed !== left.kernel) return undefined;
  if (left.recorded !== left.kernel) return "renamed to confirmed";
  return left.record === "none" ? undefined : "record of it written";
}

export class StepKills {
  readonly landed = new Map<Gap, number>(gaps.map((gap) => [gap, 0]));
  missed = 0;
  readonly #fleet: DeadManFleet;
  #orders = 0;
  readonly #watchers = new Map<string, MachineProcess>();

  constructor(fleet: DeadManFleet) {
    this.#fleet = fleet;
  }

  async start(): Promise<void> {
    const source = (name: string) => readFileSync(new URL(name, import.meta.url));
    await this.#fleet.each(async (node) => {
      const { lab } = this.#fleet.world;
      await lab.writeFile(node, "/srv/step-watcher.mts", source("./step-watcher.ts"), 0o644);
      await lab.writeFile(node, "/srv/generations.pl", source("./generations.pl"), 0o644);
      const argv = [
        "nice",
        "-n",
        "-10",
        "/opt/weft/lib/node",
        "--disable-warning=ExperimentalWarning",
        "/srv/step-watcher.mts",
      ] as const;
      const watcher = await lab.spawn(node, argv);
      this.#watchers.set(node, watcher);
      await this.#answer(node, 0);
    });
  }

  async stop(): Promise<void> {
    await Promise.all(
      [...this.#watchers.values()].map((watcher) => {
        watcher.endInput();
        return watcher.exited;
      }),
    );
  }

  #answer(node: string, id: number, deadlineMs = 20_000): Promise<Left> {
    const watcher = this.#watchers.get(node);
    return until(
      `the watcher of ${node} speaks`,
      deadlineMs,
      async () => {
        if (watcher === undefined || watcher.stderr !== "") throw new Error(watcher?.stderr);
        const last: Left | undefined = JSON.parse(watcher.lines.at(-1) ?? "null") ?? undefined;
        return last?.id === id ? last : undefined;
      },
      10,
    );
  }

  #order(node: string, kill: string | undefined): number {
    this.#orders += 1;
    this.#watchers.get(node)?.stdin.write(`${JSON.stringify({ id: this.#orders, kill })}\n`);
    return this.#orders;
  }

  /** The gap that needs a kill most, counting those that are on their way. */
  #rarest(open: readonly Gap[], underWay: ReadonlyMap<Gap, number>): Gap {
    const count = (gap: Gap) => (this.landed.get(gap) ?? 0) + (underWay.get(gap) ?? 0);
    return [...open].sort((a, b) => count(a) - count(b))[0] ?? gaps[0];
  }

  /**
   * One change, and every agent killed in the midst of it.
   * @param open the gaps this change goes through
   * @returns nodes whose agents were killed, each with where
   */
  async round(change: () => Promise<unknown>, open: readonly Gap[]): Promise<Map<string, Gap | undefined>> {
    const fleet = this.#fleet;
    const old = new Map(
      await fleet.each(async (node) => [node, (await fleet.carried(node)).kernel] as const),
    );
    const underWay = new Map<Gap, number>();
    const orders = new Map<string, number>();
    for (const node of fleet.nodes) {
      const gap = this.#rarest(open, underWay);
      underWay.set(gap, (underWay.get(gap) ?? 0) + 1);
      orders.set(node, this.#order(node, moments[gap]));
    }
    await change();
    const ends = await fleet.each(async (node) => {
      const left = await this.#answer(node, orders.get(node) ?? 0).catch(() =>
        // the moment never came: what there is now
        this.#answer(node, this.#order(node, undefined)),
      );
      const gap = gapOf(left, old.get(node) ?? "");
      if (gap === undefined) this.missed += 1;
      else this.landed.set(gap, (this.landed.get(gap) ?? 0) + 1);
      return [node, gap] as const;
    });
    return new Map(ends);
  }

  table(): string {
    const rows = [...this.landed].map(([gap, count]) => `  ${gap.padEnd(22)} ${String(count).padStart(5)}`);
    return `agents killed after\n${rows.join("\n")}\n  ${"elsewhere".padEnd(22)} ${String(this.missed).padStart(5)}\n`;
  }
}
