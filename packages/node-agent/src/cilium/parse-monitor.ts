// In: a line that `cilium-dbg monitor -n -j` printed. Out: what it says of an endpoint's traffic, or of events that are missing.
// Pure. Drops are JSON; a policy's verdict has no JSON in 1.18 (pkg/monitor/format/format.go), so its sentence is read
// (pkg/monitor/datapath_policy.go, and dissect.go for the connection).
import { asObject, type Json } from "@weft/shared/kernel-verdict/json";
import { normaliseAddress } from "@weft/shared/model/address";
import type { Traffic } from "@weft/shared/model/desired";
import type { FlowKind } from "@weft/shared/model/observation";

interface Connection {
  readonly source: string;
  readonly destination: string;
  readonly protocol: Traffic;
  /** 0 for icmp. */
  readonly port: number;
}

export type MonitorEvent =
  | {
      readonly kind: "verdict";
      readonly direction: "in" | "out";
      readonly verdict: FlowKind;
      /** Of the other end. */
      readonly identity: number;
      readonly connection: Connection;
    }
  /** Its source address was not the endpoint's. */
  | { readonly kind: "forged"; readonly identity: number; readonly connection: Connection }
  | { readonly kind: "lost"; readonly why: string }
  /** It would try again by itself only after 12 s, and say nothing of what it has missed. */
  | { readonly kind: "closed" };

const verdict =
  /^Policy verdict log: flow 0x[0-9a-f]+ local EP ID \d+, remote ID (\d{1,10}), proto (\d{1,3}), (ingress|egress), action (\w+), .*?match [\w-]+, (.*)$/;
const lost = /^CPU \d+: Lost (\d+) events$/;
/** What the program could not take apart itself: it is of another version than the datapath. */
const unread = /^Policy verdict log:|^Error while parsing (?:drop|policy) | Unknown event: /;
const closed = /level=\w+ msg="?(?:connection closed|Cannot open monitor socket)/;

const kinds: Readonly<Record<string, FlowKind>> = {
  allow: "seen",
  redirect: "seen",
  deny: "denied",
  audit: "audited",
};

/** undefined: nothing that is counted. */
export function parseMonitorLine(line: string): MonitorEvent | undefined {
  if (line.startsWith("{")) return dropOf(line);
  const [, identity, number, direction, action = "", summary = ""] = verdict.exec(line) ?? [];
  if (identity !== undefined) {
    const kind = kinds[action];
    const connection = connectionOf(summary, Number(number));
    if (kind === undefined || connection === "unreadable") return unreadable;
    if (connection === undefined) return undefined;
    const way = direction === "ingress" ? "in" : "out";
    return { kind: "verdict", direction: way, verdict: kind, identity: Number(identity), connection };
  }
  const [, count] = lost.exec(line) ?? [];
  if (count !== undefined) return { kind: "lost", why: `${count} events were lost` };
  if (closed.test(line)) return { kind: "closed" };
  return unread.test(line) ? unreadable : undefined;
}

const unreadable: MonitorEvent = { kind: "lost", why: "an event could not be read" };

const between = /^(\S+):(\d+) -> (\S+):(\d+) (tcp|udp)\b/;
const anything = /^\S+ -> \S+/;
const ping = /^(\S+) -> (\S+) icmp EchoRequest/;

/** A fragment of these is told without its ports, also the first one, which opens the flow. */
const withPorts = [6, 17];

/** undefined: neither TCP nor UDP nor a ping. */
function connectionOf(summary: string, number: number): Connection | undefined | "unreadable" {
  if (!anything.test(summary)) return "unreadable";
  const [, from, , to, port, protocol] = between.exec(summary) ?? [];
  if (protocol !== undefined)
    return connection(from, to, protocol === "tcp" ? "tcp" : "udp", Number(port)) ?? "unreadable";
  const [, source, destination] = ping.exec(summary) ?? [];
  if (source === undefined) return withPorts.includes(number) ? "unreadable" : undefined;
  return connection(source, destination, "icmp", 0) ?? "unreadable";
}

function connection(from: unknown, to: unknown, protocol: Traffic, port: number): Connection | undefined {
  const [source, destination] = [from, to].map((text) =>
    typeof text === "string" ? normaliseAddress(text) : undefined,
  );
  if (source === undefined || destination === undefined || !(port >= 0 && port <= 0xffff)) return undefined;
  return { source, destination, protocol, port };
}

const fragment = /\bProtocol=(?:TCP|UDP)\b/;

/** Of drops only forged sources: what a policy refuses has a verdict, too. */
function dropOf(line: string): MonitorEvent | undefined {
  // a verdict as JSON, or who knows what
  if (!line.includes('"type":"drop"')) return unreadable;
  if (!line.includes('"reason":"Invalid source ip"')) return undefined;
  let drop: Json | undefined;
  try {
    drop = asObject(JSON.parse(line));
  } catch {
    return unreadable;
  }
  const summary = asObject(drop?.["summary"]);
  const [l3, l4] = [asObject(summary?.["l3"]), asObject(summary?.["l4"])];
  const identity = drop?.["srcLabel"];
  if (typeof identity !== "number" || l3 === undefined) return unreadable;
  const protocol = summary?.["tcp"] === undefined ? "udp" : "tcp";
  const isPing = typeof summary?.["icmpv4"] === "string" && summary["icmpv4"].includes("EchoRequest");
  if (l4 === undefined && !isPing) return fragment.test(String(summary?.["ipv4"])) ? unreadable : undefined;
  const found = isPing
    ? connection(l3["src"], l3["dst"], "icmp", 0)
    : connection(l3["src"], l3["dst"], protocol, Number(l4?.["dst"]));
  return found === undefined ? unreadable : { kind: "forged", identity, connection: found };
}
