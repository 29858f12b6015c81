// In: a node that runs a member of the mesh's own etcd, or whose Cilium is a client of it. Out: the registration entry by which its
// agent gets the certificate for it; and whether a given entry is such a one. Pure. What makes somebody a user of that etcd is a
// name in his certificate, so who gets which name is said here alone.
import { ciliumClientId, etcdMemberId, isLabel, spireAgentId } from "@weft/shared/model/ids";
import { clientName, clientsName, clusterName, memberName } from "@weft/shared/render/etcd-places";
import type { EntrySelector, RegistrationEntry } from "./spire-server.ts";

/** weft-node-agent, and no other process of root. */
const nodeAgent: readonly EntrySelector[] = [
  { type: "unix", value: "uid:0" },
  { type: "systemd", value: "id:weft-node-agent.service" },
];

/** No service's: theirs are `weft.NODE.SERVICE`, and no name has a dot. */
const entryId = (node: string, part: "member" | "client") => `weft.${node}.etcd.${part}`;

export function etcdMemberEntry(trustDomain: string, node: string, zone: string): RegistrationEntry {
  return {
    id: entryId(node, "member"),
    spiffeId: etcdMemberId(trustDomain, node),
    parentId: spireAgentId(trustDomain, node),
    selectors: nodeAgent,
    // the first one is its user; localhost: the node's agent looks after its member from there
    dnsNames: [memberName(node, zone), clusterName(zone), "localhost"],
  };
}

export function etcdClientEntry(trustDomain: string, node: string): RegistrationEntry {
  return {
    id: entryId(node, "client"),
    spiffeId: ciliumClientId(trustDomain, node),
    parentId: spireAgentId(trustDomain, node),
    selectors: nodeAgent,
    dnsNames: [clientName(node), clientsName],
  };
}

/** One of these, to the letter: ID, parent, selectors and names belong together. */
export function isEtcdEntry(entry: RegistrationEntry): boolean {
  const [, trustDomain = "", kind, node = ""] =
    /^spiffe:\/\/([^/]+)\/weft\/(etcd|cilium)\/([^/]+)$/.exec(entry.spiffeId) ?? [];
  if (!isLabel(node)) return false;
  const zone = entry.dnsNames?.[1]?.slice(clusterName("").length) ?? "";
  const own = kind === "etcd" ? etcdMemberEntry(trustDomain, node, zone) : etcdClientEntry(trustDomain, node);
  return (
    entry.id === own.id &&
    entry.parentId === own.parentId &&
    sameSelectors(entry.selectors, own.selectors) &&
    sameNames(entry.dnsNames, own.dnsNames)
  );
}

const textOf = (selector: EntrySelector) => `${selector.type}:${selector.value}`;

export function sameSelectors(a: readonly EntrySelector[], b: readonly EntrySelector[]): boolean {
  const texts = new Set(a.map(textOf));
  const others = new Set(b.map(textOf));
  return texts.size === others.size && [...texts].every((text) => others.has(text));
}

/** In order: the first one is the common name. */
export function sameNames(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}

/** Names that a certificate of nobody else may be for: the cluster's administrator is called root, which etcd demands. */
export function etcdNames(entries: readonly RegistrationEntry[]): readonly string[] {
  const names = new Set(entries.filter(isEtcdEntry).flatMap(({ dnsNames }) => dnsNames ?? []));
  names.delete("localhost");
  return names.size === 0 ? [] : ["root", ...names];
}

/** @param name may begin with a star, which stands for one label */
export function isNameFor(name: string, host: string): boolean {
  const [asked, given] = [host.toLowerCase(), name.toLowerCase()];
  return given === asked || (given.startsWith("*.") && given.slice(1) === asked.slice(asked.indexOf(".")));
}
