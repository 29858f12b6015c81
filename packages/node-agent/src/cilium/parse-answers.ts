// In: what a Cilium agent answered, as text. Out: the few things of it that Weft reads, each checked. Pure.
// What is not there is not known (versions differ); what is there in another form is an error, never a guess.
import { WeftError } from "@weft/shared/errors/weft-error";
import { asList, asObject, type Json } from "@weft/shared/kernel-verdict/json";

export interface CiliumHealth {
  /** Empty where it is not told: an agent that has just started. */
  readonly version: string;
  /** Ok, Warning, Failure or Disabled. */
  readonly state: string;
  /** What it says of that beside its version. */
  readonly remark: string;
}

/** undefined: not told. */
export interface CiliumConfig {
  /** enable-policy: default, always or never. */
  readonly policy: string | undefined;
  readonly checksSources: boolean | undefined;
  readonly hostFirewall: boolean | undefined;
}

export interface CiliumEndpoint {
  readonly state: string;
  /** Not a workload: "host", "health", ...; else undefined. */
  readonly reserved: string | undefined;
}

/** "1.18.10 (v1.18.10-1d8b9c6b47)", and then what is wrong. */
const message = /^(?<version>[0-9]+[.][0-9]+[.][0-9A-Za-z.+-]+) +[(][^)]*[)] *(?<remark>.*)$/s;
const reservedPrefix = "reserved:";

export function parseHealth(text: string): CiliumHealth {
  const cilium = objectOf("cilium", objectOf("the answer", jsonOf(text))["cilium"]);
  const said = textOf("cilium.msg", cilium["msg"] ?? "");
  const groups = message.exec(said)?.groups;
  return {
    version: groups?.["version"] ?? "",
    state: textOf("cilium.state", cilium["state"]),
    remark: (groups?.["remark"] ?? said).trim(),
  };
}

export function parseConfig(text: string): CiliumConfig {
  const status = objectOf("status", objectOf("the answer", jsonOf(text))["status"]);
  const map = objectOf("status.daemonConfigurationMap", status["daemonConfigurationMap"]);
  const flag = (name: string): boolean | undefined => {
    const value = map[name];
    if (value !== undefined && typeof value !== "boolean") throw wrong(`${name} is neither true nor false`);
    return value;
  };
  const policy = map["EnablePolicy"];
  return {
    policy: policy === undefined ? undefined : textOf("EnablePolicy", policy),
    checksSources: flag("EnableSourceIPVerification"),
    hostFirewall: flag("EnableHostFirewall"),
  };
}

export function parseEndpoints(text: string): CiliumEndpoint[] {
  const all = asList(jsonOf(text));
  if (all === undefined) throw wrong("the answer is no list");
  return all.map((item) => {
    const status = objectOf("status", objectOf("an endpoint", item)["status"]);
    const labels = asList(objectOf("status.labels", status["labels"] ?? {})["security-relevant"] ?? []);
    if (labels === undefined) throw wrong("security-relevant is no list");
    const reserved = labels
      .map((label) => textOf("a label", label))
      .find((label) => label.startsWith(reservedPrefix));
    return {
      state: textOf("status.state", status["state"]),
      reserved: reserved?.slice(reservedPrefix.length),
    };
  });
}

function wrong(why: string, cause?: unknown): WeftError {
  return new WeftError("WEFT-E003", "what a Cilium agent answered is not understood", { why, cause });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw wrong("it is no JSON", cause);
  }
}

function objectOf(name: string, value: unknown): Json {
  const object = asObject(value);
  if (object === undefined) throw wrong(`${name} is no object`);
  return object;
}

function textOf(name: string, value: unknown): string {
  if (typeof value !== "string") throw wrong(`${name} is no text`);
  return value;
}
