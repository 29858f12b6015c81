// In: what a Cilium agent answered, as text. Out: the few things of it that Weft reads, each checked. Pure.
import { countOf, jsonOf, objectOf, optional, textOf, textsOf, wrong } from "./parse-fields.ts";

export interface CiliumHealth {
  /** Empty where it is not told: an agent that has just started. */
  readonly version: string;
  /** Ok, Warning, Failure or Disabled. */
  readonly state: string;
  /** What it says of that beside its version. */
  readonly remark: string;
  /** Who has which address of its range, by the address; what it restored has no owner's name. */
  readonly allocations: ReadonlyMap<string, string>;
}

/** undefined: not told. */
export interface CiliumConfig {
  /** enable-policy: default, always or never. */
  readonly policy: string | undefined;
  readonly checksSources: boolean | undefined;
  readonly hostFirewall: boolean | undefined;
  /** What a CIDR of a rule matches beside the world: "nodes". */
  readonly cidrMatchMode: readonly string[] | undefined;
  /** native or tunnel. */
  readonly routing: string | undefined;
  /** ipv4-range, as it was configured. */
  readonly range: string | undefined;
  /** What addresses are given from. */
  readonly allocationRange: string | undefined;
  readonly deviceMtu: number | undefined;
  readonly routeMtu: number | undefined;
}

/** "1.18.10 (v1.18.10-1d8b9c6b47)", and then what is wrong. */
const message = /^(?<version>[0-9]+[.][0-9]+[.][0-9A-Za-z.+-]+) +[(][^)]*[)] *(?<remark>.*)$/s;

export function parseHealth(text: string): CiliumHealth {
  const answer = objectOf("the answer", jsonOf(text));
  const cilium = objectOf("cilium", answer["cilium"]);
  const said = textOf("cilium.msg", cilium["msg"] ?? "");
  const groups = message.exec(said)?.groups;
  const allocations = objectOf("ipam", answer["ipam"] ?? {})["allocations"] ?? {};
  return {
    version: groups?.["version"] ?? "",
    state: textOf("cilium.state", cilium["state"]),
    remark: (groups?.["remark"] ?? said).trim(),
    allocations: new Map(
      Object.entries(objectOf("ipam.allocations", allocations)).map(([address, owner]) => [
        address,
        textOf("an owner", owner),
      ]),
    ),
  };
}

export function parseConfig(text: string): CiliumConfig {
  const status = objectOf("status", objectOf("the answer", jsonOf(text))["status"]);
  const map = objectOf("status.daemonConfigurationMap", status["daemonConfigurationMap"]);
  const ipv4 = objectOf("addressing.ipv4", objectOf("addressing", status["addressing"] ?? {})["ipv4"] ?? {});
  const flag = (name: string): boolean | undefined => {
    const value = map[name];
    if (value !== undefined && typeof value !== "boolean") throw wrong(`${name} is neither true nor false`);
    return value;
  };
  const word = (name: string): string | undefined => optional(name, map[name], textOf);
  return {
    policy: word("EnablePolicy"),
    checksSources: flag("EnableSourceIPVerification"),
    hostFirewall: flag("EnableHostFirewall"),
    cidrMatchMode: optional("PolicyCIDRMatchMode", map["PolicyCIDRMatchMode"], textsOf),
    routing: word("RoutingMode"),
    range: word("IPv4Range"),
    allocationRange: optional("alloc-range", ipv4["alloc-range"], textOf),
    deviceMtu: optional("deviceMTU", status["deviceMTU"], countOf),
    routeMtu: optional("routeMTU", status["routeMTU"], countOf),
  };
}

export function parseRevision(text: string): number {
  return countOf("revision", objectOf("the answer", jsonOf(text))["revision"]);
}

export function parseIdentityLabels(text: string): readonly string[] {
  return optional("labels", objectOf("the answer", jsonOf(text))["labels"], textsOf) ?? [];
}
