// In: a mesh. Out: problems with the etcd that Weft is to run for it: on which nodes, beside what, and under which names. Pure.
import { familyOf } from "@weft/shared/model/address";
import type { PortRange } from "@weft/shared/model/desired";
import type { Mesh, MeshNode, Place, Problem } from "@weft/shared/model/mesh";
import { nearestName } from "@weft/shared/model/near";
import { clientName, clusterName, etcdPorts, memberName } from "@weft/shared/render/etcd-places";
import { errorAt, fieldPlace, warningAt } from "../problem.ts";
import { ciliumNodes, etcdNodes, formatRange, intersect } from "../selection.ts";
import type { Rule } from "./rule.ts";
import { placeAt } from "./surroundings.ts";

interface Member {
  readonly node: MeshNode;
  readonly place: Place;
}

const memberPlace = (mesh: Mesh, index: number): Place =>
  placeAt(mesh, `cilium/etcd/nodes/${index}`, "cilium");

function membersOf(mesh: Mesh): Member[] {
  const nodes = new Map(mesh.nodes.map((node) => [node.name, node]));
  return etcdNodes(mesh).flatMap((name, index) => {
    const node = nodes.get(name);
    return node === undefined ? [] : [{ node, place: memberPlace(mesh, index) }];
  });
}

export const etcdNodesExist: Rule = (mesh, context) => {
  const members = etcdNodes(mesh);
  const names = new Set([...mesh.nodes.map(({ name }) => name), ...context.broken.nodes]);
  return members.flatMap((node, index) => {
    const place = memberPlace(mesh, index);
    if (members.indexOf(node) !== index) return [errorAt(place, `node "${node}" is named twice for etcd`)];
    if (names.has(node)) return [];
    return [errorAt(place, `there is no node "${node}"`, { near: nearestName(node, names) })];
  });
};

/** More than half of them have to be there. */
export const etcdNodesAreOdd: Rule = (mesh) => {
  const count = new Set(etcdNodes(mesh)).size;
  if (count === 0 || count % 2 === 1) return [];
  return [
    warningAt(
      placeAt(mesh, "cilium/etcd/nodes", "cilium"),
      `${count} members of etcd survive no more failures than ${count - 1}`,
      { allowed: "one, three or five" },
    ),
  ];
};

export const etcdNodesHaveIpv4: Rule = (mesh) =>
  membersOf(mesh)
    .filter(({ node }) => familyOf(node.address) === 6)
    .map(({ node, place }) =>
      errorAt(
        place,
        `node "${node.name}" has the IPv6 address ${node.address}, and nodes with Cilium have IPv4 alone`,
        { allowed: "nodes with an IPv4 address" },
      ),
    );

export const etcdPortsAreFree: Rule = (mesh) => {
  const ports = Object.values(etcdPorts).map(
    (port): PortRange => ({ protocol: "tcp", from: port, to: port }),
  );
  const members = membersOf(mesh).map(({ node }) => node.name);
  if (members.length === 0) return [];
  const taken = (range: PortRange) => ports.find((port) => intersect(port, range) !== undefined);
  return [
    ...mesh.services.flatMap((service) => {
      const node = service.nodes.find((each) => members.includes(each));
      if (node === undefined) return [];
      return service.ports.flatMap(({ name, range }) => {
        const port = taken(range);
        if (port === undefined) return [];
        return [
          errorAt(
            fieldPlace(service, `ports/${name}`),
            `port ${formatRange(range)} of service "${service.name}" takes ${formatRange(port)} on node "${node}", ` +
              "where a member of the mesh's own etcd has it",
            { allowed: "another port, or another node" },
          ),
        ];
      });
    }),
    ...mesh.guard.ports.flatMap((range) => {
      const port = mesh.guard.admin.length === 0 ? undefined : taken(range);
      if (port === undefined) return [];
      return [
        warningAt(
          placeAt(mesh, "cilium/etcd", "cilium"),
          `port ${formatRange(port)} of the mesh's own etcd is also a guard port: the admin ranges reach it whatever the policies say`,
        ),
      ];
    }),
  ];
};

/** By nothing but their names are its members found. */
export const etcdClientsHaveNames: Rule = (mesh) => {
  if (etcdNodes(mesh).length === 0) return [];
  return mesh.nodes
    .filter((node) => node.enforcement === "cilium" && (node.dnsMode ?? mesh.dns.mode) === "off")
    .map((node) =>
      errorAt(
        node.dnsMode === undefined ? placeAt(mesh, "dns/mode", "") : fieldPlace(node, "dns/mode"),
        `node "${node.name}" with Cilium has no names (dns mode off), and finds the members of etcd by their names`,
        { allowed: "auto, resolved-link or file; or cilium.etcd.members" },
      ),
    );
};

/** SPIRE puts no label into a certificate that looks like an encoded one. */
export const etcdNamesFitIntoCertificates: Rule = (mesh) => {
  const members = membersOf(mesh);
  if (members.length === 0) return [];
  const { zone } = mesh.dns;
  const clients = mesh.nodes.filter(({ name }) => ciliumNodes(mesh).has(name));
  const allowed = "names without -- after their second letter";
  const isOdd = (name: string) => name.split(".").some((label) => label.slice(2, 4) === "--");
  const problems: Problem[] = [];
  if (isOdd(zone))
    problems.push(
      errorAt(
        placeAt(mesh, "dns/zone", ""),
        `no certificate of a member of etcd can be for ${clusterName(zone)}`,
        {
          allowed,
        },
      ),
    );
  const named = new Map([
    ...members.map(({ node }) => [node, memberName(node.name, zone)] as const),
    ...clients.map((node) => [node, clientName(node.name)] as const),
  ]);
  for (const [node, name] of named)
    if (isOdd(node.name))
      problems.push(errorAt(node.place, `no certificate for etcd can be for ${name}`, { allowed }));
  return problems;
};
