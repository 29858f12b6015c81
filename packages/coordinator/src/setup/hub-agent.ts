// In: a running coordinator whose mesh names this machine. Out: this machine is a node of it, its policy in force.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { FleetStatus, NodeStatus } from "@weft/shared/model/fleet";
import type { Control } from "../cli/control.ts";
import { sentenceOf } from "../view/status-model.ts";
import type { InitWish } from "./init-wish.ts";
import type { Machine } from "./machine.ts";
import { places } from "./places.ts";

const joinTimeoutMs = 180_000;
const enforcedDeadlineMs = 120_000;
const tokenSeconds = 300;

async function first(fleets: AsyncIterable<FleetStatus>): Promise<FleetStatus> {
  for await (const fleet of fleets) return fleet;
  throw new WeftError("WEFT-E500", "the coordinator gave no status");
}

function hubIn(fleet: FleetStatus, wish: InitWish): NodeStatus {
  const node = fleet.nodes.find(({ name }) => name === wish.hub);
  if (node !== undefined) return node;
  throw new WeftError("WEFT-E103", `the mesh file does not name this machine as node ${wish.hub}`, {
    hint: `add \`${wish.hub}: { address: ${wish.address} }\` under nodes:, apply it, then run \`weft init\` again`,
  });
}

export async function joinHub(
  machine: Machine,
  wish: InitWish,
  control: Control,
  signal: AbortSignal,
): Promise<string> {
  const hub = hubIn(await first(control.watchStatus(false, signal)), wish);
  if (hub.state === "Online" || hub.state === "Late" || hub.state === "Lost")
    return `node ${wish.hub} has joined before`;
  const added = await control.addNode({ name: wish.hub, ttlSeconds: tokenSeconds, fromAny: false });
  const { code, stdout, stderr } = await machine.run(
    places.agentCommand,
    ["join", wish.address, "--pin", added.pin],
    { input: `${added.token}\n`, timeoutMs: joinTimeoutMs },
  );
  if (code !== 0)
    throw new WeftError("WEFT-E004", "this machine could not join its own mesh", {
      why: (stderr || stdout).trim(),
      hint: "read `journalctl -u weft-node-agent`, then run `weft init` again",
    });
  return `node ${wish.hub} joined`;
}

/** Returns in words what is in force; at the deadline it says what is wrong. */
export async function waitEnforced(wish: InitWish, control: Control, signal: AbortSignal): Promise<string> {
  const deadline = AbortSignal.timeout(enforcedDeadlineMs);
  let last: NodeStatus | undefined;
  for await (const fleet of control.watchStatus(true, AbortSignal.any([signal, deadline]))) {
    last = hubIn(fleet, wish);
    if (last.state === "Online" && last.verdict === "ENFORCED")
      return `revision ${last.enforcedRevision} is in the kernel of ${wish.hub}`;
  }
  const conditions = (last?.report?.conditions ?? []).map(sentenceOf);
  throw new WeftError("WEFT-E102", `node ${wish.hub} does not enforce its policy yet`, {
    why: [`It is ${last?.state ?? "unknown"} and ${last?.verdict ?? "unknown"}.`, ...conditions].join("\n"),
    hint: "run `weft status`, and `journalctl -u weft-node-agent`; then `weft init` again",
  });
}
