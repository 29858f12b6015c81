// In: word that Weft's table may have been changed, and the confirmed policy on disk. Out: the table as it was confirmed,
// put back on a short way of its own that waits for no other work of the agent; who did it; and what passed meanwhile.
//
// INVARIANTS
// - Nothing is put back while a policy is pending: what a foreign change means then is the dead-man switch's to say.
// - One hand at a time on the table: applying and repairing exclude each other (`exclusively`).
// - The kernel is read before and after: what already is as confirmed is left alone, and "put back" is the kernel's word.
// - Looking costs a fifth of one processor at most, however often the table is changed.
import { isWeftError, messageOf } from "@weft/shared/errors/weft-error";
import type { Finding } from "../conditions.ts";
import type { Host } from "../host/host.ts";
import type { Log } from "../log.ts";
import { places } from "../state/places.ts";
import { type ConfirmedPolicy, readConfirmed } from "./confirmed.ts";
import { type Culprit, culpritOf, unknownCulprit } from "./culprit.ts";
import {
  forgetMemory,
  type KernelTable,
  loadAlone,
  readKernelTable,
  type TableMemory,
} from "./kernel-table.ts";
import type { ChangeWord } from "./kernel-watch.ts";
import type { LeakBound, Leaks, LeakWitness } from "./leak-witness.ts";
import { driftOf } from "./plan-policy.ts";
import { RepairFight } from "./repair-fight.ts";

export interface RepairParts {
  readonly host: Host;
  readonly log: Log;
  readonly witness: Pick<LeakWitness, "takeLeaks" | "forget">;
  readonly memory: TableMemory;
  /** Something was put back, and there is more to say of it than before. */
  readonly onRepair: () => void;
}

interface Heard {
  readonly at: number;
  readonly pid: number | undefined;
  readonly culprit: Promise<Culprit>;
  readonly acts: readonly string[];
  readonly isElsewhere: boolean;
}

interface Repair {
  readonly at: number;
  readonly detail: string;
  /** Empty while they are counted. */
  leaks: string;
}

/** A repair takes milliseconds; people should see that it was needed. */
const shownMs = 60_000;
/** Looks take a fifth of the time at most; on a machine so busy that they take long, not less often than this. */
const restPerWork = 4;
const longestRestMs = 200;
/** Somebody's busy tables are no reason to read ours all the time; still, one transaction can change both. */
const restElsewhereMs = 500;
/** Words that came since the last look. */
const mostHeard = 8;

export class TableRepair {
  readonly #parts: RepairParts;
  readonly #fight = new RepairFight();
  readonly #ownLoads = new Set<number>();
  #heard: Heard[] = [];
  #wake: (() => void) | undefined;
  #hurry: (() => void) | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #counting: Promise<void> = Promise.resolve();
  /** Since the fight began. */
  #leaked = 0;
  #repair: Repair | undefined;
  #cutDue = false;

  constructor(parts: RepairParts) {
    this.#parts = parts;
  }

  #now(): number {
    return this.#parts.host.clock.now().getTime();
  }

  heard({ author, acts, isElsewhere }: ChangeWord): void {
    const isOwn = author !== undefined && this.#ownLoads.has(author.pid);
    // At once: a program like nft lives for some milliseconds only.
    if (!isOwn && this.#heard.length < mostHeard) {
      const culprit = culpritOf(this.#parts.host.files, author);
      this.#heard.push({ at: this.#now(), pid: author?.pid, culprit, acts, isElsewhere });
    }
    this.#wake?.();
    if (!isElsewhere) this.#hurry?.();
  }

  /** Work on the table that nothing comes in between of. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Until the signal: looks whenever something was heard. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.host;
    while (!signal.aborted) {
      await this.#word(signal);
      if (signal.aborted) return;
      const began = this.#now();
      const isElsewhere = this.#heard.length > 0 && this.#heard.every((word) => word.isElsewhere);
      await this.exclusively(() => this.#look());
      const rest = Math.min((this.#now() - began) * restPerWork, longestRestMs);
      await clock.sleep(rest, signal).catch(() => {});
      if (isElsewhere) await this.#restElsewhere(signal);
    }
  }

  /** Until there is word of Weft's own table. */
  async #restElsewhere(signal: AbortSignal): Promise<void> {
    if (this.#heard.some((word) => !word.isElsewhere)) return;
    const rest = new AbortController();
    const stop = () => rest.abort();
    this.#hurry = stop;
    signal.addEventListener("abort", stop, { once: true });
    await this.#parts.host.clock.sleep(restElsewhereMs, rest.signal).catch(() => {});
    this.#hurry = undefined;
    signal.removeEventListener("abort", stop);
  }

  async #word(signal: AbortSignal): Promise<void> {
    if (this.#heard.length > 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        signal.removeEventListener("abort", wake);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  async #look(): Promise<void> {
    const { files, exec } = this.#parts.host;
    // Taken before the reading: a word that comes meanwhile may be of what was not read any more.
    const heard = this.#heard;
    this.#heard = [];
    try {
      if ((await files.info(places.pendingPolicy)) !== undefined) {
        this.#parts.onRepair();
        return;
      }
      const confirmed = await readConfirmed(files);
      const kernel = await readKernelTable(exec, this.#parts.memory);
      if (confirmed !== undefined) await this.putBack(confirmed, kernel, heard);
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      // The agent's own look finds it as well, plans anew, and says what is in the way.
      this.#parts.log.error(`policy: the table cannot be put back: ${messageOf(failure)}`);
      this.#parts.onRepair();
    }
  }

  /** What the kernel has then. Called with the table in hand: from `exclusively` only. */
  async putBack(
    confirmed: ConfirmedPolicy,
    kernel: KernelTable | undefined,
    before: readonly Heard[] = [],
  ): Promise<KernelTable | undefined> {
    const { log, host } = this.#parts;
    if (confirmed.slot === undefined || driftOf(confirmed, kernel) === undefined) return kernel;
    const found = await this.#afterPause(kernel);
    const drift = driftOf(confirmed, found);
    if (drift === undefined) return found;
    // Whatever was done until now, the load undoes.
    const heard = [...before, ...this.#heard];
    this.#heard = [];
    const named = heard.filter(({ pid }) => pid !== undefined);
    const word = named.findLast(({ isElsewhere }) => !isElsewhere) ?? named.at(-1) ?? heard.at(-1);
    const began = this.#now();
    if (found !== undefined) await forgetMemory(host.exec, (pid) => this.#ownLoad(pid));
    const file = { path: places.confirmedPolicy, text: confirmed.text };
    const now = await loadAlone(host.exec, file, (table) => driftOf(confirmed, table) === undefined, {
      memory: this.#parts.memory,
      started: (pid) => this.#ownLoad(pid),
    });
    const at = this.#now();
    const tookMs = at - (word?.at ?? began);
    // Not the same file any more, or changed again in between: there will be another word, or another look.
    if (now === undefined || driftOf(confirmed, now) !== undefined)
      log.warn("policy: the table is not as it was confirmed after it was put back");
    const culprit = await (word?.culprit ?? unknownCulprit);
    this.#fight.repaired(at, culprit.kind);
    const acts = word === undefined || word.acts.length === 0 ? "" : ` (${word.acts.join(", ")})`;
    const detail = `${drift}${acts}, by ${culprit.said}; put back ${tookMs} ms after that was heard`;
    log.warn(`policy: ${detail}`);
    const repair: Repair = { at, detail, leaks: "" };
    this.#repair = repair;
    this.#cutDue = true;
    this.#parts.onRepair();
    this.#counting = this.#counting.then(() => this.#count(repair));
    return now;
  }

  /** In a fight the next repair waits, whoever asks for it. */
  async #afterPause(kernel: KernelTable | undefined): Promise<KernelTable | undefined> {
    const { host, memory } = this.#parts;
    const wait = (this.#repair?.at ?? 0) + this.#fight.pauseMs(this.#now()) - this.#now();
    if (wait <= 0) return kernel;
    await host.clock.sleep(wait);
    return readKernelTable(host.exec, memory);
  }

  async #count(repair: Repair): Promise<void> {
    const { log, witness, onRepair } = this.#parts;
    let leaks: Leaks | LeakBound | undefined;
    try {
      leaks = await witness.takeLeaks();
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
    }
    repair.leaks = leaksText(leaks);
    this.#leaked += leaks?.kind === "counted" ? leaks.packets : 0;
    log.warn(`policy: ${repair.leaks}`);
    onRepair();
  }

  /** The rules are about to become, or have become, others: what passed before is no leak by them. */
  changed(): void {
    this.#counting = this.#counting.then(() => this.#parts.witness.forget());
  }

  /** Flows that were opened meanwhile are to be looked at, once. */
  takeCutDue(): boolean {
    const due = this.#cutDue;
    this.#cutDue = false;
    return due;
  }

  findings(): Finding[] {
    const now = this.#now();
    const repair = this.#repair;
    const found: Finding[] = [];
    if (repair !== undefined && now < repair.at + shownMs)
      found.push({
        code: "POLICY_REPAIRED",
        detail: [repair.detail, repair.leaks].filter(Boolean).join("; "),
      });
    const fight = this.#fight.standing(now);
    if (fight === undefined) this.#leaked = 0;
    else
      found.push({
        code: "POLICY_FIGHT",
        detail:
          `put back ${fight.repairs} times, ${fight.times} of them after ${fight.by}; ` +
          `${this.#leaked} first packets of forbidden connections were seen to pass`,
      });
    return found;
  }

  /** Remembered until others have the number. */
  #ownLoad(pid: number): void {
    this.#ownLoads.delete(pid);
    this.#ownLoads.add(pid);
    const [oldest] = this.#ownLoads;
    if (this.#ownLoads.size > mostHeard && oldest !== undefined) this.#ownLoads.delete(oldest);
  }
}

function leaksText(leaks: Leaks | LeakBound | undefined): string {
  if (leaks === undefined) return "what passed meanwhile cannot be counted here";
  if (leaks.kind === "bound") {
    const seconds = (leaks.withinMs / 1000).toFixed(1);
    return `the record of what passed was flushed as well: at most the ${leaks.accepted} TCP connections that this machine accepted in ${seconds} s, allowed ones among them`;
  }
  const { packets, flows, isAtLeast } = leaks;
  const atLeast = isAtLeast ? "at least " : "";
  if (packets === 0 && !isAtLeast) return "no connection that it forbids was seen to pass meanwhile";
  return `${atLeast}${packets} first packets of connections that it forbids passed meanwhile (${atLeast}${flows} pairs of source and port)`;
}
