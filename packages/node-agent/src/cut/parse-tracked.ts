// In: what `conntrack -L -o extended` printed, or /proc/net/nf_conntrack. Out: the TCP and UDP flows that connection
// tracking holds. Pure. Other protocols are no service's; a line in no known form is counted, never guessed at.
import { normaliseAddress } from "@weft/shared/model/address";
import type { End, TrackedFlow, Tuple } from "./flow.ts";

export interface ParsedTracked {
  readonly tracked: readonly TrackedFlow[];
  readonly unread: number;
}

/** Nothing flows any more: what is left is the memory of it. */
const over: ReadonlySet<string> = new Set(["TIME_WAIT", "CLOSE"]);

function valuesOf(fields: readonly string[], name: string): string[] {
  return fields.filter((field) => field.startsWith(`${name}=`)).map((field) => field.slice(name.length + 1));
}

function endOf(address: string | undefined, port: string | undefined): End | undefined {
  const found = normaliseAddress(address ?? "");
  if (found === undefined || !/^\d{1,5}$/.test(port ?? "")) return undefined;
  return { address: found, port: Number(port) };
}

function tupleOf(fields: readonly string[], which: 0 | 1): Tuple | undefined {
  const value = (name: string) => valuesOf(fields, name)[which];
  const source = endOf(value("src"), value("sport"));
  const destination = endOf(value("dst"), value("dport"));
  return source === undefined || destination === undefined ? undefined : { source, destination };
}

export function parseTracked(printed: string): ParsedTracked {
  const tracked: TrackedFlow[] = [];
  let unread = 0;
  for (const line of printed.split("\n")) {
    const fields = line.trim().split(/\s+/);
    const protocol = fields.find((field) => field === "tcp" || field === "udp");
    if (protocol === undefined || fields.some((field) => over.has(field))) continue;
    const original = tupleOf(fields, 0);
    const reply = tupleOf(fields, 1);
    const zone = valuesOf(fields, "zone")[0];
    if (original === undefined || reply === undefined || (zone !== undefined && !/^\d+$/.test(zone)))
      unread += 1;
    else
      tracked.push({
        protocol: protocol === "tcp" ? "tcp" : "udp",
        original,
        reply,
        zone: zone === undefined || zone === "0" ? undefined : Number(zone),
      });
  }
  return { tracked, unread };
}
