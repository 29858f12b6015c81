// In: the kernel's record sets. Out: what changed in them, told over the link; everything again when the link is a new
// one. Looked at now and then, and at once and every second or two while somebody at the coordinator wants to know:
// each look is a process, and an idle agent should cost next to nothing. Reads only.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Observation, ObservedFlow } from "@weft/shared/model/observation";
import { recordSets } from "@weft/shared/render/nftables-table";
import type { Host } from "../host/host.ts";
import type { Log } from "../log.ts";
import { parsePasswd } from "../policy/users.ts";
import { FlowChanges } from "./flow-changes.ts";
import { parseRecords, recordName } from "./parse-records.ts";

export interface ObserverParts {
  readonly host: Host;
  readonly log: Log;
  readonly node: string;
  /** Grows with every new stream; 0: there is none. */
  readonly streams: () => number;
  readonly send: (observation: Observation) => void;
}

const idleLookMs = 30_000;
const attendedLookMs = 2_000;
/** After the last time somebody asked. */
const attendedForMs = 10_000;
const mostFlows = 500;
/** nft 1.0.6 answers several `list set` in one command line wrongly, line by line it answers well. */
const script = recordSets
  .filter(({ name }) => recordName.test(name))
  .map(({ name }) => `list set inet weft ${name}\n`)
  .join("");

export class Observer {
  readonly #parts: ObserverParts;
  readonly #changes = new FlowChanges(mostFlows);
  #printed = "";
  #toldOn = 0;
  #full = "";
  #attendedUntil = 0;
  #isAsked = false;
  #wake: (() => void) | undefined;
  #said = "";

  constructor(parts: ObserverParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const asked = this.#isAsked;
      this.#isAsked = false;
      await this.look(signal, asked);
      if (!this.#isAsked) await this.#pause(signal);
    }
  }

  /** Somebody wants to know: a word comes soon, even if nothing has changed. */
  attend(): void {
    this.#attendedUntil = this.#parts.host.clock.now().getTime() + attendedForMs;
    this.#isAsked = true;
    this.#wake?.();
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.host;
    const pause = new AbortController();
    const stop = () => pause.abort();
    signal.addEventListener("abort", stop, { once: true });
    this.#wake = stop;
    const attended = clock.now().getTime() < this.#attendedUntil || this.#isNewStream();
    await clock.sleep(attended ? attendedLookMs : idleLookMs, pause.signal).catch(() => {});
    this.#wake = undefined;
    signal.removeEventListener("abort", stop);
  }

  #isNewStream(): boolean {
    return this.#parts.streams() !== this.#toldOn;
  }

  async look(signal: AbortSignal, asked = false): Promise<void> {
    const { streams, host, log } = this.#parts;
    const stream = streams();
    if (stream === 0) return;
    try {
      const { stdout } = await host.exec.run("nft", ["-j", "-i"], { input: script, allow: [0, 1], signal });
      await this.#tell(stdout, stream, asked);
      this.#said = "";
    } catch (failure) {
      if (signal.aborted) return;
      if (!isWeftError(failure)) throw failure;
      // Once, not every few seconds: what is enforced does not depend on it.
      if (this.#said !== failure.message) log.warn(`observations: ${failure.message}: ${failure.why ?? ""}`);
      this.#said = failure.message;
    }
  }

  async #tell(printed: string, stream: number, asked: boolean): Promise<void> {
    const { host, node, send } = this.#parts;
    const complete = stream !== this.#toldOn;
    // Ages change with every second; nothing was used while the counters stand still.
    const text = printed.replaceAll(/"expires": ?\d+/g, "");
    if (!complete && !asked && text === this.#printed) return;
    const { flows, fullSets } = parseRecords(printed, host.clock.now());
    if (complete) this.#changes.forget();
    const changes = this.#changes.take(flows);
    const full = fullSets.join(" ");
    // What did not fit comes with the next look.
    this.#printed = changes.leftOut > 0 ? "" : text;
    if (!complete && !asked && changes.flows.length === 0 && full === this.#full) return;
    const named = await this.#withUsers(changes.flows);
    send({ witness: `kernel of ${node}`, flows: named, complete, fullSets, leftOut: changes.leftOut });
    this.#toldOn = stream;
    this.#full = full;
  }

  async #withUsers(flows: readonly ObservedFlow[]): Promise<ObservedFlow[]> {
    if (flows.every(({ uid }) => uid === undefined)) return [...flows];
    const passwd = parsePasswd((await this.#parts.host.files.readText("/etc/passwd")) ?? "");
    const names = new Map(passwd.map(({ name, uid }) => [uid, name]));
    return flows.map((flow) =>
      flow.uid === undefined ? flow : { ...flow, user: names.get(flow.uid) ?? "" },
    );
  }
}
