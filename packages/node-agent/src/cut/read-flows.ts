// In: the machine. Out: what its kernel knows of flows now: sockets, connection tracking, its own addresses; and what
// could not be looked at. Reads only.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Exec, Files } from "../host/host.ts";
import { parseEphemeralPorts } from "../policy/ephemeral-ports.ts";
import type { SeenFlows } from "./flow.ts";
import { parseAddresses } from "./parse-addresses.ts";
import { type ParsedTracked, parseTracked } from "./parse-tracked.ts";
import { listSockets } from "./socket-list.ts";

export interface FlowReading {
  readonly seen: SeenFlows;
  /** Why flows that are passed on could not be looked at; undefined: they were. */
  readonly blind: string | undefined;
}

const families = ["ipv4", "ipv6"] as const;

export async function readFlows(exec: Exec, files: Files): Promise<FlowReading> {
  const [sockets, tracking, addresses, range] = await Promise.all([
    listSockets((program, args, options) => exec.run(program, args, options)),
    readTracked(exec, files),
    readAddresses(files),
    files.readText("/proc/sys/net/ipv4/ip_local_port_range"),
  ]);
  const { sockets: connected, loose, unread } = sockets;
  return {
    seen: {
      sockets: connected,
      loose,
      tracked: tracking.tracked,
      addresses,
      ephemeral: parseEphemeralPorts(range ?? "32768 60999", ""),
      unread: unread + tracking.unread,
    },
    blind: tracking.blind,
  };
}

interface Tracking extends ParsedTracked {
  readonly blind: string | undefined;
}

async function readTracked(exec: Exec, files: Files): Promise<Tracking> {
  try {
    // older releases list one family only, whatever is asked for
    const lists = await Promise.all(
      families.map((family) => exec.run("conntrack", ["-L", "-f", family, "-o", "extended"])),
    );
    const parsed = lists.map(({ stdout }) => parseTracked(stdout));
    return {
      tracked: parsed.flatMap(({ tracked }) => tracked),
      unread: parsed.reduce((sum, { unread }) => sum + unread, 0),
      blind: undefined,
    };
  } catch (failure) {
    if (!isWeftError(failure)) throw failure;
    const printed = await files.readText("/proc/net/nf_conntrack");
    if (printed !== undefined) return { ...parseTracked(printed), blind: undefined };
    // what passes nothing on has no such flows
    const blind = (await isForwarding(files)) ? failure.message : undefined;
    return { tracked: [], unread: 0, blind };
  }
}

async function readAddresses(files: Files): Promise<ReadonlySet<string>> {
  const texts = await Promise.all(
    ["fib_trie", "if_inet6"].map((name) => files.readText(`/proc/net/${name}`)),
  );
  return parseAddresses(texts[0] ?? "", texts[1] ?? "");
}

/** Whether this machine passes anything on. */
export async function isForwarding(files: Files): Promise<boolean> {
  const texts = await Promise.all(
    ["ipv4/ip_forward", "ipv6/conf/all/forwarding"].map((name) => files.readText(`/proc/sys/net/${name}`)),
  );
  return texts.some((text) => text?.trim() === "1");
}
