// In: the text of a policy script, as it lies on disk. Out: what it says of itself: slot, revision, digest and guard
// ports. Pure. Read from the script and from no file beside it, so the two cannot disagree.
import type { PortRange } from "../model/desired.ts";
import type { Slot } from "./nftables-slots.ts";

export interface ScriptHeader {
  readonly slot: Slot;
  /** 0 and empty: guards only. */
  readonly revision: number;
  readonly digest: string;
  readonly guardPorts: readonly PortRange[];
}

/** undefined: not written by this release. */
export function parseScriptHeader(text: string): ScriptHeader | undefined {
  const slot = /^add rule inet weft input goto ([ab])_input$/m.exec(text)?.[1];
  if (slot !== "a" && slot !== "b") return undefined;
  const rev = /^add element inet weft rev \{\n {2}(\d+) comment "digest=([0-9a-f]{64})"\n\}$/m.exec(text);
  return {
    slot,
    revision: Number(rev?.[1] ?? 0),
    digest: rev?.[2] ?? "",
    guardPorts: guardPortsOf(text, slot),
  };
}

function guardPortsOf(text: string, slot: Slot): PortRange[] {
  const body = new RegExp(`^add element inet weft ${slot}_guard_ports \\{\\n([^}]*)\\n\\}$`, "m").exec(
    text,
  )?.[1];
  return (body ?? "").split("\n").flatMap((line): PortRange[] => {
    const match = /^ {2}(tcp|udp) \. (\d+)(?:-(\d+))?\b/.exec(line);
    if (match === null) return [];
    const from = Number(match[2]);
    return [{ protocol: match[1] === "udp" ? "udp" : "tcp", from, to: Number(match[3] ?? from) }];
  });
}
