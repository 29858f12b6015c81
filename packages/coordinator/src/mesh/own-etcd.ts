// In: a valid mesh. Out: the same, with the etcd that Weft runs for it as a service like any other, and with the policies that let
// its members and clients in. Pure. Nobody's policy can name it or choose it by a label, so none opens or closes it.
import type { Mesh, MeshPolicy, MeshService, Selector } from "@weft/shared/model/mesh";
import { etcdPorts, etcdUnit, etcdUser } from "@weft/shared/render/etcd-places";
import { placeAt } from "./rules/surroundings.ts";
import { ciliumNodes, etcdNodes } from "./selection.ts";

/** Its name is its user's. */
export const ownEtcd = etcdUser;

export const ownEtcdPolicies = { clients: `${ownEtcd}-clients`, members: `${ownEtcd}-members` } as const;

const tcp = (port: number) => ({ protocol: "tcp", from: port, to: port }) as const;

export function withOwnEtcd(mesh: Mesh): Mesh {
  const members = etcdNodes(mesh);
  if (members.length === 0) return mesh;
  return {
    ...mesh,
    services: [...mesh.services, serviceOf(mesh, members)],
    policies: [...mesh.policies, ...policiesOf(mesh, members)],
  };
}

/** What its file says. */
export function withoutOwnEtcd({ services, policies }: Mesh): Pick<Mesh, "services" | "policies"> {
  const own: readonly string[] = Object.values(ownEtcdPolicies);
  return {
    services: services.filter(({ name }) => name !== ownEtcd),
    policies: policies.filter(({ name }) => !own.includes(name)),
  };
}

function serviceOf(mesh: Mesh, members: readonly string[]): MeshService {
  return {
    name: ownEtcd,
    nodes: members,
    user: etcdUser,
    unit: etcdUnit,
    // each member has one of its own below it (spire/etcd-entry.ts)
    spiffeId: `spiffe://${mesh.trustDomain}/weft/etcd`,
    ports: [
      { name: "clients", range: tcp(etcdPorts.clients) },
      { name: "members", range: tcp(etcdPorts.members) },
    ],
    mtls: "app",
    labels: {},
    place: placeOf(mesh),
    places: Object.fromEntries(
      members.map((_, index) => [`nodes/${index}`, placeAt(mesh, `cilium/etcd/nodes/${index}`, "cilium")]),
    ),
  };
}

/** Members are clients, too: the agent of any of them looks after the whole. */
function policiesOf(mesh: Mesh, members: readonly string[]): MeshPolicy[] {
  const place = placeOf(mesh);
  const clients = [...new Set([...ciliumNodes(mesh), ...members])];
  const opening = (name: string, from: readonly Selector[], port: string): MeshPolicy => ({
    name,
    from,
    to: [{ kind: "service", name: ownEtcd, place }],
    ports: [port],
    action: "allow",
    // it is no trial, in a mesh that is one, either
    mode: "enforce",
    place,
  });
  return [
    opening(
      ownEtcdPolicies.clients,
      clients.map((name) => ({ kind: "node", name, place })),
      "clients",
    ),
    ...(members.length === 1
      ? []
      : [opening(ownEtcdPolicies.members, [{ kind: "service", name: ownEtcd, place }], "members")]),
  ];
}

const placeOf = (mesh: Mesh) => placeAt(mesh, "cilium/etcd", "cilium");
