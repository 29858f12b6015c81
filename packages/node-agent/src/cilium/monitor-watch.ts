// In: what Cilium's datapath tells of endpoints' traffic, by `cilium-dbg monitor`, and the endpoints of this node. Out: a bounded
// memory of what was let pass and refused there, and since when it has no gap. It rests on words of a program, and a word that
// was missed is not made up for: so after a gap of any kind what is said to be whole begins anew.
//
// Nobody listens where no endpoint is wanted: while somebody does, each verdict costs its agent an event. How many there can be is
// an option of the agent (render/cilium-agent-options.ts); whether some were left out for it, this counts.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import type { EndpointFlow, EndpointMemory, ObservedFlow, SpentQuota } from "@weft/shared/model/observation";
import { eventRate } from "@weft/shared/render/cilium-agent-options";
import { spiffeLabel } from "@weft/shared/render/cilium-labels";
import type { Finding } from "../conditions.ts";
import type { Host } from "../host/host.ts";
import type { CiliumClient } from "./agent-client.ts";
import { ciliumDbg } from "./cilium-dbg.ts";
import { EndpointMemory as FlowMemory, type HeldFlow } from "./endpoint-memory.ts";
import { type MonitorEvent, parseMonitorLine } from "./parse-monitor.ts";
import { PeerNames } from "./peer-names.ts";

export interface MonitorParts {
  readonly host: Pick<Host, "exec" | "files" | "clock">;
  readonly client: Pick<CiliumClient, "identityLabels">;
  readonly desired: () => Pick<DesiredState, "cilium"> | undefined;
  readonly onFindings: (findings: readonly Finding[]) => void;
}

type Heard = Extract<MonitorEvent, { readonly kind: "verdict" | "forged" }>;

export interface EndpointRecords {
  readonly flows: readonly ObservedFlow[];
  readonly fullSets: readonly string[];
  readonly spent: readonly SpentQuota[];
  readonly memory: EndpointMemory;
}

const words = ["monitor", "-n", "-j", "-t", "policy-verdict", "-t", "drop"] as const;
const socketName = "/monitor1_2.sock";
/** As /proc/net/unix has the agent's end of a connection to it. */
const socketPaths = [`/run/cilium${socketName}`, `/var/run/cilium${socketName}`];
const connected = "03";

const lookMs = 5_000;
const askMs = 100;
/** It gives up by itself after 12 s, but not on an agent that hangs. */
const connectsWithinMs = 20_000;
const firstPauseMs = 1_000;
const longestPauseMs = 30_000;
/** So many starts in a row that came to nothing are told. */
const toldAfter = 3;
const secondMs = 1_000;
/** While somebody listens the clock is looked at every few seconds: it was set, or the machine stood still. */
const longestStepMs = 60_000;

export class MonitorWatch {
  readonly #parts: MonitorParts;
  readonly #memory = new FlowMemory();
  readonly #names: PeerNames;
  #since: Date | undefined;
  #gap = "weft-node-agent has just started";
  #whyNot = "";
  /** What a gap that begins now is for. */
  #ending = "";
  /** In this second, and in the one before. */
  #second = { at: 0, events: 0, before: 0 };
  /** When the clock was last looked at. */
  #clockAt: Date | undefined;

  constructor(parts: MonitorParts) {
    this.#parts = parts;
    this.#names = new PeerNames(parts.client);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.host;
    let inVain = 0;
    while (!signal.aborted) {
      if (this.#endpoints().length === 0) {
        this.#memory.forget();
        this.#parts.onFindings([]);
        inVain = 0;
        await clock.sleep(lookMs, signal).catch(() => {});
        continue;
      }
      const hasListened = await this.#listen(signal);
      this.#since = undefined;
      this.#names.forget();
      if (signal.aborted) return;
      inVain = hasListened ? 0 : inVain + 1;
      if (inVain >= toldAfter) this.#parts.onFindings([{ code: "CILIUM_UNHEARD", detail: this.#whyNot }]);
      const pause = Math.min(firstPauseMs * 2 ** inVain, longestPauseMs);
      await clock.sleep(pause, signal).catch(() => {});
    }
  }

  /** undefined: no endpoint is wanted here. */
  async report(): Promise<EndpointRecords | undefined> {
    const endpoints = this.#endpoints();
    if (endpoints.length === 0) return undefined;
    const now = this.#checkedNow();
    const held = this.#memory.flows(now);
    await this.#names.learn(held.map(({ identity }) => identity));
    const serviceOf = new Map(endpoints.map(({ service, spiffeId }) => [hashOf(spiffeId), service]));
    return {
      flows: held.flatMap((flow) => this.#flow(flow, serviceOf)),
      fullSets: this.#memory.fullSets(),
      spent: this.#memory.spent(),
      memory: this.#age(now),
    };
  }

  #flow(held: HeldFlow, serviceOf: ReadonlyMap<string, string>): ObservedFlow[] {
    const { kind, direction, address, identity, protocol, port, packets, lastSeen } = held;
    const forged = held.service === undefined;
    const service = held.service ?? serviceOf.get(this.#names.of(identity));
    // an identity of no endpoint that is wanted here
    if (service === undefined) return [];
    const endpoint: EndpointFlow = {
      service,
      identity: forged ? 0 : identity,
      peer: forged ? "" : this.#names.of(identity),
      forged,
    };
    const [source, destination] = direction === "in" ? [address, undefined] : [undefined, address];
    const counted = { protocol, port, packets, lastSeen, uid: undefined, user: "" };
    return [{ kind, direction, source, destination, ...counted, endpoint }];
  }

  #age(now: Date): EndpointMemory {
    if (this.#since === undefined) return { seconds: 0, gap: this.#whyNot === "" ? this.#gap : this.#whyNot };
    const seconds = Math.floor((now.getTime() - this.#since.getTime()) / secondMs);
    return { seconds: Math.max(1, seconds), gap: this.#gap };
  }

  #endpoints() {
    return this.#parts.desired()?.cilium?.endpoints ?? [];
  }

  #now(): Date {
    return this.#parts.host.clock.now();
  }

  /** Until it ends, is ended, or is not wanted any more. @returns whether it has listened */
  async #listen(signal: AbortSignal): Promise<boolean> {
    const { exec } = this.#parts.host;
    const monitor = new AbortController();
    const stop = () => monitor.abort();
    signal.addEventListener("abort", stop, { once: true });
    this.#whyNot = "no agent of Cilium offers its events";
    try {
      if (!(await this.#hasSocket())) return false;
      this.#whyNot = `${ciliumDbg} monitor ended before it listened`;
      // of a program that has ended the agent keeps its end until it next has something to say
      const former = await this.#connections();
      this.#clockAt = undefined;
      const onLine = (line: string) => this.#take(line, monitor);
      const { done } = exec.lines(ciliumDbg, words, onLine, monitor.signal);
      await Promise.all([done.finally(stop), this.#watch(monitor, former).finally(stop)]);
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      this.#whyNot = [failure.message, failure.why].filter(Boolean).join(": ");
    } finally {
      signal.removeEventListener("abort", stop);
    }
    if (this.#since === undefined) return false;
    this.#gap = this.#ending;
    return true;
  }

  async #hasSocket(): Promise<boolean> {
    return (await this.#parts.host.files.info(`/run/cilium${socketName}`)) !== undefined;
  }

  /** What was said before it listened nobody has heard. */
  async #watch(monitor: AbortController, former: ReadonlySet<string>): Promise<void> {
    const { clock } = this.#parts.host;
    const { signal } = monitor;
    const began = this.#now().getTime();
    while (!signal.aborted) {
      if (this.#endpoints().length === 0) {
        monitor.abort();
        return;
      }
      this.#checkedNow();
      if (this.#since === undefined) {
        const isConnected = [...(await this.#connections())].some((each) => !former.has(each));
        if (isConnected && !signal.aborted) {
          this.#since = this.#now();
          this.#whyNot = "";
          this.#ending = "the program that listened ended";
          this.#parts.onFindings([]);
        } else if (this.#now().getTime() - began > connectsWithinMs) {
          this.#whyNot = "the agent of Cilium takes nobody who listens: it may hang";
          monitor.abort();
        }
      }
      await clock.sleep(this.#since === undefined ? askMs : lookMs, signal).catch(() => {});
    }
  }

  async #connections(): Promise<ReadonlySet<string>> {
    return connectionsOf((await this.#parts.host.files.readText("/proc/net/unix")) ?? "");
  }

  #take(line: string, monitor: AbortController): void {
    if (monitor.signal.aborted) return;
    const now = this.#checkedNow();
    // what is not remembered takes room in the datapath's rate, too
    this.#count(now);
    const event = parseMonitorLine(line);
    if (event === undefined) return;
    if (event.kind === "closed") {
      this.#ending = "the agent of Cilium ended its events";
      monitor.abort();
      return;
    }
    if (event.kind === "lost") this.#beginAnew(event.why, now);
    else this.#remember(event, now);
  }

  #remember(event: Heard, now: Date): void {
    const { identity, connection } = event;
    const { source, destination, protocol, port } = connection;
    if (event.kind === "forged") {
      const forged = { kind: "denied", direction: "out", service: undefined, address: destination } as const;
      this.#memory.add({ ...forged, identity, protocol, port }, now);
      return;
    }
    const { direction, verdict: kind } = event;
    const [own, address] = direction === "in" ? [destination, source] : [source, destination];
    const service = this.#endpoints().find((endpoint) => endpoint.address === own)?.service;
    // of an endpoint that Weft has not made
    if (service === undefined) return;
    this.#memory.add({ kind, direction, service, identity, address, protocol, port }, now);
  }

  /** Its datapath leaves out what is more than so many in a second of its own, and does not say so. */
  #count(now: Date): void {
    const at = Math.floor(now.getTime() / secondMs);
    const { at: last, events } = this.#second;
    if (at !== last) this.#second = { at, events: 0, before: at === last + 1 ? events : 0 };
    this.#second.events += 1;
    if (this.#second.events + this.#second.before >= eventRate)
      this.#beginAnew(`more than ${eventRate} events in a second`, now);
  }

  /** A clock that was set must not make the memory older than it is. */
  #checkedNow(): Date {
    const now = this.#now();
    const step = now.getTime() - (this.#clockAt ?? now).getTime();
    this.#clockAt = now;
    const isSet = step < -secondMs || step > longestStepMs;
    if (isSet && this.#since !== undefined) this.#beginAnew("the clock was set, or stood still", now);
    return now;
  }

  #beginAnew(why: string, now: Date): void {
    this.#gap = why;
    if (this.#since !== undefined) this.#since = now;
  }
}

function hashOf(spiffeId: string): string {
  return spiffeLabel(spiffeId).replace(/^[^=]*=/, "");
}

/** Num RefCount Protocol Flags Type St Inode Path; of both ends the agent's alone has a path. @returns inodes */
function connectionsOf(sockets: string): ReadonlySet<string> {
  return new Set(
    sockets.split("\n").flatMap((line) => {
      const [, , , , , state, inode = "", path = ""] = line.trim().split(/\s+/);
      return state === connected && socketPaths.includes(path) ? inode : [];
    }),
  );
}
