// In: what a Cilium agent answered about its endpoints, as text. Out: the few things of each that Weft reads. Pure.
import { asList } from "@weft/shared/kernel-verdict/json";
import { countOf, jsonOf, objectOf, optional, textOf, textsOf, wrong } from "./parse-fields.ts";

/** undefined: not told, or not known yet. */
export interface CiliumEndpoint {
  readonly id: number;
  /** waiting-for-identity, regenerating, ready, restoring, disconnected, ... */
  readonly state: string;
  /** Not a workload: "host", "health", ...; else undefined. */
  readonly reserved: string | undefined;
  /** The name it was made by. */
  readonly owner: string | undefined;
  readonly identity: number | undefined;
  /** What it was given, sorted. */
  readonly labels: readonly string[];
  /** What the identity in force stands for, sorted: after new labels the old ones, for about 5 s. */
  readonly identityLabels: readonly string[];
  /** IPv4. */
  readonly address: string | undefined;
  readonly linkName: string | undefined;
  readonly linkIndex: number | undefined;
  /** Of the end inside. */
  readonly mac: string | undefined;
  readonly hostMac: string | undefined;
  /** Of the policy its datapath enforces; 0 before there is one. */
  readonly realisedRevision: number;
}

const reservedPrefix = "reserved:";

export function parseEndpoint(text: string): CiliumEndpoint {
  return endpointOf(jsonOf(text));
}

export function parseEndpoints(text: string): CiliumEndpoint[] {
  const all = asList(jsonOf(text));
  if (all === undefined) throw wrong("the answer is no list");
  return all.map(endpointOf);
}

function endpointOf(item: unknown): CiliumEndpoint {
  const endpoint = objectOf("an endpoint", item);
  const status = objectOf("status", endpoint["status"]);
  const part = (name: string) => objectOf(`status.${name}`, status[name] ?? {});
  const state = textOf("status.state", status["state"]);
  const identity = part("identity");
  const networking = part("networking");
  const labels = labelsOf("security-relevant", part("labels")["security-relevant"]);
  const [addresses] = asList(networking["addressing"]) ?? [];
  const realised = objectOf("policy.realized", part("policy")["realized"] ?? {});
  return {
    id: countOf("id", endpoint["id"]),
    state,
    reserved: labels.find((label) => label.startsWith(reservedPrefix))?.slice(reservedPrefix.length),
    owner: optional("container-id", part("external-identifiers")["container-id"], textOf),
    identity: optional("identity.id", identity["id"], countOf),
    labels,
    identityLabels: labelsOf("identity.labels", identity["labels"]),
    address: optional("ipv4", objectOf("addressing", addresses ?? {})["ipv4"], textOf),
    linkName: optional("interface-name", networking["interface-name"], textOf),
    linkIndex: optional("interface-index", networking["interface-index"], countOf),
    mac: optional("mac", networking["mac"], textOf),
    hostMac: optional("host-mac", networking["host-mac"], textOf),
    realisedRevision: optional("policy-revision", realised["policy-revision"], countOf) ?? 0,
  };
}

function labelsOf(name: string, value: unknown): string[] {
  return (optional(name, value, textsOf) ?? []).sort();
}
