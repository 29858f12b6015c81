// In: a SPIFFE ID and its mesh's name. Out: the labels its endpoint carries, and the words that select it. Pure.
// A selector's value has at most 63 letters, digits, - _ and .: a SPIFFE ID is none, so its hash stands for it (Cilium
// 1.18.10, pkg/k8s/slim/k8s/apis/meta/v1/validation). Two instances of a service have the same labels, and so one identity.
import { parseSpiffeId } from "../spiffe/spiffe-id.ts";
import { shortHash } from "./short-hash.ts";

/** As they stand in a selector: source:key. */
const idKey = "spiffe:id";
const namespaceKey = "k8s:io.kubernetes.pod.namespace";
const clusterKey = "k8s:io.cilium.k8s.policy.cluster";

/** Longest name of a cluster that an agent takes (pkg/clustermesh/types). */
const longestCluster = 32;

function isLabelValue(text: string): boolean {
  return text.length <= 63 && /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(text);
}

/** Namespace and cluster of a mesh: weft-NAME, or, where that is too long for a cluster, its start and 8 digits of its hash. */
export function ciliumNamespace(mesh: string): string {
  const whole = `weft-${mesh}`;
  if (whole.length <= longestCluster) return whole;
  const start = whole.slice(0, longestCluster - 9).replace(/-+$/, "");
  return `${start}-${shortHash(mesh, 8)}`;
}

/** What stands for a SPIFFE ID where it is no legal value. */
export function spiffeHash(spiffeId: string): string {
  return shortHash(spiffeId, 40);
}

/** What an identity is told by, in the form source:key=value. */
export function spiffeLabel(spiffeId: string): string {
  return `${idKey}=${spiffeHash(spiffeId)}`;
}

export function spiffeSelector(spiffeId: string): { readonly matchLabels: Readonly<Record<string, string>> } {
  return { matchLabels: { [idKey]: spiffeHash(spiffeId) } };
}

/** In the form source:key=value; `td` and `path` are for people and left out where they are no legal values. */
export function endpointLabels(spiffeId: string, mesh: string): string[] {
  const { trustDomain, path } = parseSpiffeId(spiffeId);
  const readable = path.slice(1).replaceAll("/", ".");
  const namespace = ciliumNamespace(mesh);
  return [
    spiffeLabel(spiffeId),
    ...(isLabelValue(trustDomain) ? [`spiffe:td=${trustDomain}`] : []),
    ...(isLabelValue(readable) ? [`spiffe:path=${readable}`] : []),
    `${namespaceKey}=${namespace}`,
    `${clusterKey}=${namespace}`,
  ];
}
