// In: flows as connection tracking holds them. Out: it holds them no more: their translation ends with them, and a
// packet that still comes is judged as a first one. All in one process where conntrack can do that.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Exec } from "../host/host.ts";
import type { TrackedFlow } from "./flow.ts";

/** One process each is dear: where it must be, the rest has to wait for the next look. */
const mostAlone = 100;

function deletionOf({ protocol, original, reply, zone }: TrackedFlow): string[] {
  const { source, destination } = original;
  return [
    "-D",
    "-f",
    source.address.includes(":") ? "ipv6" : "ipv4",
    "-p",
    protocol,
    ...["-s", source.address, "-d", destination.address],
    ...["--sport", `${source.port}`, "--dport", `${destination.port}`],
    ...["-r", reply.source.address, "-q", reply.destination.address],
    ...(zone === undefined ? [] : ["-w", `${zone}`]),
  ];
}

/** Why it could not be asked; undefined: it was. */
export async function forgetTracked(exec: Exec, flows: readonly TrackedFlow[]): Promise<string | undefined> {
  if (flows.length === 0) return undefined;
  const deletions = flows.map(deletionOf);
  try {
    const input = deletions.map((words) => `${words.join(" ")}\n`).join("");
    await exec.run("conntrack", ["-R", "-"], { input });
    return undefined;
  } catch (failure) {
    if (!isWeftError(failure)) throw failure;
    if (failure.code === "WEFT-E007") return failure.message;
  }
  try {
    // 1: it was gone already
    for (const words of deletions.slice(0, mostAlone)) await exec.run("conntrack", words, { allow: [0, 1] });
    return undefined;
  } catch (failure) {
    if (!isWeftError(failure)) throw failure;
    return failure.why ?? failure.message;
  }
}
