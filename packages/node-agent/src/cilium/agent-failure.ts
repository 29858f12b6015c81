// In: a call that a Cilium agent refused, or did not answer. Out: what to do about it. Pure.
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import { briefly } from "../host/briefly.ts";
import type { SocketAnswer } from "../host/host.ts";

const log = "journalctl -u weft-cilium";

export function noAgent(socket: string): WeftError {
  return new WeftError("WEFT-E007", `no Cilium agent runs: nothing is at ${socket}`, {
    hint: `systemctl start weft-cilium, and read ${log} if it does not stay`,
  });
}

/** What was not answered in time or not to its end; anything else as it is. */
export function withAdvice(failure: unknown): unknown {
  if (!isWeftError(failure)) return failure;
  const { code, message, why, cause } = failure;
  const hint =
    code === "WEFT-E005"
      ? `see whether the agent reaches its etcd (cilium-dbg status): without it, it makes no endpoint; ${log} tells the rest`
      : `see whether the agent runs or has just ended: systemctl status weft-cilium, ${log}`;
  return new WeftError(code, message, { ...(why === undefined ? {} : { why }), hint, cause });
}

/** An agent's errors are texts in JSON, or objects with a message. */
export function saidBy({ body }: SocketAnswer): string {
  try {
    const said: unknown = JSON.parse(body);
    if (typeof said === "string") return said;
  } catch {
    // no JSON: the text itself
  }
  return body;
}

export function refusal(call: string, answer: SocketAnswer): WeftError {
  return new WeftError("WEFT-E004", `${call}: the Cilium agent answered ${answer.status}`, {
    why: briefly(saidBy(answer)) || "it says no more",
    hint: adviceOn(answer.status),
  });
}

function adviceOn(status: number): string {
  if (status === 429) return "it is asked too much at once; try again in a few seconds";
  if (status >= 500) return `see ${log} for what failed, and cilium-dbg status for whether it is well`;
  return "it holds something else than Weft takes it to (cilium-dbg endpoint list), or is of a version Weft does not know";
}
