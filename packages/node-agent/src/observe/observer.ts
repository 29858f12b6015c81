// In: the kernel's record sets, and what was heard of Cilium at endpoints. Out: what changed in them, told over the link; everything again when the link is a new
// one. Looked at now and then, and at once and every second or two while somebody at the coordinator wants to know:
// each look is a process, and an idle agent should cost next to nothing. Reads only, but for the marks that make the
// kernel count how long it has remembered.
import { isWeftError } from "@weft/shared/errors/weft-error";
import {
  flowKey,
  type Observation,
  type ObservedFlow,
  type SpentQuota,
} from "@weft/shared/model/observation";
import { markedSets, renderMarks } from "@weft/shared/render/nftables-memory";
import { sharedSets } from "@weft/shared/render/nftables-slots";
import type { EndpointRecords } from "../cilium/monitor-watch.ts";
import type { Host } from "../host/host.ts";
import type { Log } from "../log.ts";
import { parsePasswd } from "../policy/users.ts";
import { FlowChanges } from "./flow-changes.ts";
import { memoryAge } from "./memory-age.ts";
import { isRecord, parseRecords } from "./parse-records.ts";

export interface ObserverParts {
  readonly host: Host;
  readonly log: Log;
  readonly node: string;
  /** Grows with every new stream; 0: there is none. */
  readonly streams: () => number;
  readonly send: (observation: Observation) => void;
  /** What Cilium did at this node's endpoints; undefined: it has none. */
  readonly endpoints?: () => Promise<EndpointRecords | undefined>;
}

const idleLookMs = 30_000;
const attendedLookMs = 2_000;
/** After the last time somebody asked. */
const attendedForMs = 10_000;
const mostFlows = 500;
/** Ages come in whole seconds, and the clock may be set. */
const blurSeconds = 5;
/** nft 1.0.6 answers several `list set` in one command line wrongly, line by line it answers well. */
const script = sharedSets
  .filter(({ name }) => isRecord(name) || markedSets.includes(name))
  .map(({ name }) => `list set inet weft ${name}\n`)
  .join("");

export class Observer {
  readonly #parts: ObserverParts;
  readonly #changes = new FlowChanges(mostFlows);
  #printed = "";
  #toldOn = 0;
  #incomplete = "";
  #began = 0;
  #endpointsBegan = 0;
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
      const age = memoryAge(stdout, await this.#uptime());
      if (age.unmarked.length > 0) {
        const input = renderMarks(age.unmarked);
        await host.exec.run("nft", ["-i"], { input, allow: [0, 1], signal });
      }
      await this.#tell(stdout, age.seconds, stream, asked);
      this.#said = "";
    } catch (failure) {
      if (signal.aborted) return;
      if (!isWeftError(failure)) throw failure;
      // Once, not every few seconds: what is enforced does not depend on it.
      if (this.#said !== failure.message) log.warn(`observations: ${failure.message}: ${failure.why ?? ""}`);
      this.#said = failure.message;
    }
  }

  async #uptime(): Promise<number> {
    const seconds = Number.parseFloat((await this.#parts.host.files.readText("/proc/uptime")) ?? "");
    return Number.isFinite(seconds) ? seconds : 0;
  }

  async #tell(printed: string, memorySeconds: number, stream: number, asked: boolean): Promise<void> {
    const { host, node, send } = this.#parts;
    const complete = stream !== this.#toldOn;
    const heard = await this.#parts.endpoints?.();
    // Ages change with every second; nothing was used while the counters stand still.
    const text = `${printed.replaceAll(/"expires": ?\d+/g, "")}${countsOf(heard)}`;
    // Of a memory that began anew the counters may stand as before.
    const began = this.#beginning(memorySeconds);
    const endpointsBegan = this.#beginning(heard?.memory.seconds ?? 0);
    const isSameMemory =
      Math.abs(began - this.#began) < blurSeconds &&
      Math.abs(endpointsBegan - this.#endpointsBegan) < blurSeconds;
    if (!complete && !asked && text === this.#printed && isSameMemory) return;
    const records = parseRecords(printed, host.clock.now());
    const flows = [...records.flows, ...(heard?.flows ?? [])];
    const fullSets = [...records.fullSets, ...(heard?.fullSets ?? [])];
    const spent = [...records.spent, ...(heard?.spent ?? [])];
    if (complete) this.#changes.forget();
    const changes = this.#changes.take(flows);
    const incomplete = JSON.stringify([fullSets, spent, heard?.memory.gap]);
    // What did not fit comes with the next look.
    this.#printed = changes.isWhole ? text : "";
    const isSame = changes.flows.length === 0 && incomplete === this.#incomplete && isSameMemory;
    if (!complete && !asked && isSame) return;
    send({
      witness: `kernel of ${node}`,
      flows: await this.#withUsers(changes.flows),
      complete,
      fullSets,
      leftOut: changes.leftOut,
      memorySeconds,
      spent: await this.#withUsers(spent),
      endpoints: heard?.memory,
    });
    this.#toldOn = stream;
    this.#incomplete = incomplete;
    this.#began = began;
    this.#endpointsBegan = endpointsBegan;
  }

  /** 0: it cannot be told. */
  #beginning(memorySeconds: number): number {
    return memorySeconds === 0 ? 0 : this.#parts.host.clock.now().getTime() / 1000 - memorySeconds;
  }

  async #withUsers<T extends ObservedFlow | SpentQuota>(flows: readonly T[]): Promise<T[]> {
    if (flows.every(({ uid }) => uid === undefined)) return [...flows];
    const passwd = parsePasswd((await this.#parts.host.files.readText("/etc/passwd")) ?? "");
    const names = new Map(passwd.map(({ name, uid }) => [uid, name]));
    return flows.map((flow) =>
      flow.uid === undefined ? flow : { ...flow, user: names.get(flow.uid) ?? "" },
    );
  }
}

/** Without when it was. */
function countsOf(heard: EndpointRecords | undefined): string {
  if (heard === undefined) return "";
  const counts = heard.flows.map((flow) => `${flowKey(flow)} ${flow.packets} ${flow.endpoint?.peer}`);
  return JSON.stringify([counts, heard.fullSets, heard.spent, heard.memory.gap]);
}
