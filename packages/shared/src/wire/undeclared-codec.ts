// Baseline and pings of a DesiredPolicy <-> weft.v1. Decoding checks every field.
import type * as wire from "../gen/weft/v1/desired.ts";
import type { Action, Baseline, DesiredPolicy, Mode, PingRule } from "../model/desired.ts";
import { oneOf } from "./number.ts";
import { block, decodeOrigin, decodePort } from "./policy-field.ts";

const actions: readonly Action[] = ["allow", "deny"];
const modes: readonly Mode[] = ["enforce", "audit"];

type Undeclared = Pick<DesiredPolicy, "baseline" | "ping">;

export function encodeUndeclared({
  baseline,
  ping,
}: Undeclared): Pick<wire.DesiredPolicy, "baseline" | "ping"> {
  return {
    baseline:
      baseline === undefined
        ? undefined
        : {
            mode: baseline.mode,
            origin: { ...baseline.origin },
            allow: baseline.allow.map((item) => ({
              ...item,
              port: item.port === undefined ? undefined : { ...item.port },
              origin: { ...item.origin },
            })),
          },
    ping: (ping ?? []).map((rule) => ({ ...rule, origin: { ...rule.origin } })),
  };
}

export function decodeUndeclared(message: Pick<wire.DesiredPolicy, "baseline" | "ping">): Undeclared {
  return {
    ...(message.baseline === undefined ? {} : { baseline: decodeBaseline(message.baseline) }),
    ...(message.ping.length === 0 ? {} : { ping: message.ping.map(decodePing) }),
  };
}

function decodeBaseline(message: wire.Baseline): Baseline {
  return {
    mode: oneOf(message.mode, modes, "baseline mode"),
    origin: decodeOrigin(message.origin),
    allow: message.allow.map((item) => ({
      from: item.from,
      source: block(item.source, "baseline source"),
      port: item.port === undefined ? undefined : decodePort(item.port),
      origin: decodeOrigin(item.origin),
    })),
  };
}

function decodePing(message: wire.PingRule): PingRule {
  return {
    from: message.from,
    source: block(message.source, "ping source"),
    action: oneOf(message.action, actions, "action"),
    mode: oneOf(message.mode, modes, "mode"),
    origin: decodeOrigin(message.origin),
  };
}
