// In: the table a kernel has loaded, and the flows it carries. Out: the flows whose first packet these rules would refuse
// now, each with what has to be ended, and how many flows nothing certain can be said of. Pure.
//
// A flow is judged as its first packet would be: by who opened it (judge-openers.ts), not by who sends now. Where nobody can
// tell, both ways are judged, and only what is forbidden both ways is forbidden.
import { judgeHook, type KernelVerdict } from "@weft/shared/kernel-verdict/judge";
import type { Packet } from "@weft/shared/kernel-verdict/packet";
import type { NftTable } from "@weft/shared/kernel-verdict/ruleset";
import {
  type ConnectedSocket,
  type End,
  type Ends,
  endsKey,
  endText,
  type SeenFlows,
  type TrackedFlow,
} from "./flow.ts";
import { openersOf } from "./judge-openers.ts";

export interface ForbiddenFlow {
  /** The same for both ends and for connection tracking. */
  readonly key: string;
  /** In this machine's own network. */
  readonly sockets: readonly Ends[];
  /** Sockets there may be in other network namespaces of this machine. */
  readonly elsewhere: readonly Ends[];
  /** To be forgotten by connection tracking. */
  readonly tracked: TrackedFlow | undefined;
}

export interface JudgedFlows {
  readonly forbidden: readonly ForbiddenFlow[];
  /** Flows of which it is not known what the rules say: they are left. */
  readonly unknown: number;
}

type Verdict = "allowed" | "forbidden" | "unknown";

const ownTable = "inet weft";

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

function isSameEnd(a: End, b: End): boolean {
  return a.address === b.address && a.port === b.port;
}

function keyOf(protocol: string, one: End, other: End): string {
  const [a, b] = [endText(one), endText(other)];
  return a < b ? `${protocol} ${a} ${b}` : `${protocol} ${b} ${a}`;
}

function keyOfTracked({ protocol, original }: TrackedFlow): string {
  return keyOf(protocol, original.source, original.destination);
}

function isTranslated({ original, reply }: TrackedFlow): boolean {
  return !isSameEnd(original.destination, reply.source);
}

export function judgeFlows(table: NftTable, seen: SeenFlows): JudgedFlows {
  return new Judging(table, seen).result();
}

class Judging {
  readonly #table: NftTable;
  readonly #seen: SeenFlows;
  readonly #verdicts = new Map<string, Verdict>();
  readonly #byEnds = new Map<string, { readonly flow: TrackedFlow; readonly opened: "here" | "there" }>();
  readonly #forbidden = new Map<string, ForbiddenFlow>();
  readonly #unknown = new Set<string>();

  constructor(table: NftTable, seen: SeenFlows) {
    this.#table = table;
    this.#seen = seen;
    for (const flow of seen.tracked) {
      const { protocol, original, reply } = flow;
      const opener = { protocol, local: original.source, peer: original.destination };
      const target = { protocol, local: reply.source, peer: reply.destination };
      this.#byEnds.set(endsKey(target), { flow, opened: "there" });
      this.#byEnds.set(endsKey(opener), { flow, opened: "here" });
    }
  }

  result(): JudgedFlows {
    const { sockets, tracked, unread } = this.#seen;
    for (const socket of sockets) this.#socket(socket);
    for (const flow of tracked) this.#tracked(flow);
    const unknown = [...this.#unknown].filter((key) => !this.#forbidden.has(key)).length;
    return { forbidden: [...this.#forbidden.values()], unknown: unknown + unread };
  }

  #socket(socket: ConnectedSocket): void {
    const { protocol, local, peer } = socket;
    if (isLoopback(local.address) || isLoopback(peer.address)) return;
    const held = this.#byEnds.get(endsKey(socket));
    const key = held === undefined ? keyOf(protocol, local, peer) : keyOfTracked(held.flow);
    const verdicts = openersOf(socket, this.#seen, held?.opened).map((opener) =>
      opener === "there" ? this.#verdict(this.#arriving(socket)) : this.#leavingVerdict(socket),
    );
    const [first = "unknown"] = verdicts;
    const verdict = verdicts.every((other) => other === first) ? first : "unknown";
    // a datagram's entry would let the answers of the other end pass
    const flow = protocol === "udp" ? held?.flow : undefined;
    this.#note(key, verdict, { sockets: [{ protocol, local, peer }], elsewhere: [], tracked: flow });
  }

  #arriving(socket: ConnectedSocket): Packet {
    const { protocol, local, peer } = socket;
    const flow = this.#byEnds.get(endsKey(socket))?.flow;
    return {
      hook: "input",
      source: peer.address,
      destination: local.address,
      protocol,
      port: local.port,
      uid: undefined,
      local: this.#seen.addresses.has(peer.address),
      publishedPort: flow !== undefined && isTranslated(flow) ? flow.original.destination.port : undefined,
    };
  }

  #leavingVerdict(socket: ConnectedSocket): Verdict {
    const flow = this.#byEnds.get(endsKey(socket))?.flow;
    const verdict = this.#verdict(this.#leaving(socket, socket.uid, flow));
    // whose it was is not known any more
    return verdict === "forbidden" && socket.uid === undefined ? "unknown" : verdict;
  }

  #leaving({ protocol, local, peer }: Ends, uid: number | undefined, flow: TrackedFlow | undefined): Packet {
    const target = flow?.reply.source ?? peer;
    return {
      hook: "output",
      source: local.address,
      destination: target.address,
      protocol,
      port: target.port,
      uid,
      local: this.#seen.addresses.has(target.address),
      publishedPort: flow !== undefined && isTranslated(flow) ? flow.original.destination.port : undefined,
    };
  }

  /** What no socket with a peer stands for: flows that are passed on, and datagrams. */
  #tracked(flow: TrackedFlow): void {
    const { protocol, original, reply } = flow;
    const ends = [original.source, original.destination, reply.source];
    if (ends.some(({ address }) => isLoopback(address))) return;
    const { addresses } = this.#seen;
    const isFromHere = addresses.has(original.source.address);
    const isToHere = addresses.has(reply.source.address);
    const key = keyOfTracked(flow);
    if (!isFromHere && !isToHere) {
      const elsewhere = [
        { protocol, local: original.source, peer: original.destination },
        { protocol, local: reply.source, peer: reply.destination },
      ];
      this.#note(key, this.#verdict(this.#forwarded(flow)), { sockets: [], elsewhere, tracked: flow });
      return;
    }
    if (protocol === "tcp" || (isFromHere && isToHere)) return;
    const local = isToHere ? reply.source : original.source;
    const owner = this.#seen.loose.find((item) => item.protocol === protocol && item.port === local.port);
    if (owner === undefined) return;
    const socket = { protocol, local, peer: isToHere ? original.source : original.destination };
    const packet = isToHere
      ? this.#arriving({ ...socket, uid: undefined })
      : this.#leaving(socket, owner.uid, flow);
    this.#note(key, this.#verdict(packet), { sockets: [], elsewhere: [], tracked: flow });
  }

  #forwarded(flow: TrackedFlow): Packet {
    const { protocol, original, reply } = flow;
    return {
      hook: "forward",
      source: original.source.address,
      destination: reply.source.address,
      protocol,
      port: reply.source.port,
      uid: undefined,
      local: false,
      publishedPort: isTranslated(flow) ? original.destination.port : undefined,
    };
  }

  #note(key: string, verdict: Verdict, part: Omit<ForbiddenFlow, "key">): void {
    if (verdict === "unknown") this.#unknown.add(key);
    if (verdict !== "forbidden") return;
    const before = this.#forbidden.get(key);
    this.#forbidden.set(key, {
      key,
      sockets: [...(before?.sockets ?? []), ...part.sockets],
      elsewhere: [...(before?.elsewhere ?? []), ...part.elsewhere],
      tracked: part.tracked ?? before?.tracked,
    });
  }

  /** Many flows ask the same: a source port is no part of the question. */
  #verdict(packet: Packet): Verdict {
    const question = JSON.stringify(packet);
    const known = this.#verdicts.get(question);
    if (known !== undefined) return known;
    const verdict = wordOf(judgeHook([this.#table], ownTable, packet).own?.verdict);
    this.#verdicts.set(question, verdict);
    return verdict;
  }
}

function wordOf(verdict: KernelVerdict | undefined): Verdict {
  if (verdict === undefined || verdict === "accept") return "allowed";
  return verdict === "unknown" ? "unknown" : "forbidden";
}
