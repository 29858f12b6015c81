// In: a valid mesh. Out: for each node that has to do with the mesh's own etcd, what it is given of it. Pure; the order of the file
// shows in one thing: the first member begins.
import type { DesiredEtcdCluster, EtcdClient } from "@weft/shared/model/desired-etcd";
import type { Mesh } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";
import { clientName, memberName } from "@weft/shared/render/etcd-places";
import { etcdNodes } from "../mesh/selection.ts";
import { addressesOf, type MeshEndpoints } from "./endpoints.ts";

/** By node. A member looks after all clients; a client needs to know of the members, and of itself. */
export function etcdClusters(mesh: Mesh, endpoints: MeshEndpoints): ReadonlyMap<string, DesiredEtcdCluster> {
  const running = etcdNodes(mesh);
  if (running.length === 0) return new Map();
  const nodes = mesh.nodes.toSorted((a, b) => byText(a.name, b.name));
  const members = running.flatMap((node) =>
    nodes
      .filter(({ name }) => name === node)
      .map(({ address }) => ({ node, address, name: memberName(node, mesh.dns.zone) })),
  );
  const clients = nodes.flatMap(({ name, address, enforcement }): EtcdClient[] =>
    enforcement === "cilium"
      ? [{ node: name, address, name: clientName(name), addresses: addressesOf(endpoints.get(name)) ?? [] }]
      : [],
  );
  const given: readonly (readonly [string, readonly EtcdClient[]])[] = [
    ...clients.map((client) => [client.node, [client]] as const),
    ...members.map(({ node }) => [node, clients] as const),
  ];
  return new Map(given.map(([node, known]) => [node, { members, clients: known }]));
}
