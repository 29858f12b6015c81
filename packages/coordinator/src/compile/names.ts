// In: a valid mesh. Out: the records of its zone, as a node without Cilium has them, or one with. Pure; sorted.
// Between two endpoints the source address tells who calls, so nodes with Cilium lead to endpoints, past the addresses of nodes;
// each endpoint has a name there, NODE.SERVICE.ZONE, for SRV records to lead to.
import { familyOf } from "@weft/shared/model/address";
import type { DnsRecord } from "@weft/shared/model/desired";
import type { Mesh, MeshService } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";
import type { MeshEndpoints } from "./endpoints.ts";

/** @param endpoints that names are to lead to: of a node with Cilium alone */
export function compileRecords(mesh: Mesh, endpoints: MeshEndpoints = new Map()): DnsRecord[] {
  const { zone } = mesh.dns;
  const addresses = new Map(mesh.nodes.map(({ name, address }) => [name, address]));
  const nodeName = (node: string) => `${node}.node.${zone}`;
  const addressRecord = (name: string, address: string): DnsRecord => ({
    name,
    type: familyOf(address) === 4 ? "A" : "AAAA",
    value: address,
  });
  const records: DnsRecord[] = [
    ...mesh.nodes.map(({ name, address }) => addressRecord(nodeName(name), address)),
    ...mesh.services.flatMap((service) =>
      service.nodes.flatMap((node): DnsRecord[] => {
        const endpoint = endpointOf(endpoints, node, service);
        const address = endpoint ?? addresses.get(node);
        if (address === undefined) return [];
        const target = endpoint === undefined ? nodeName(node) : `${node}.${service.name}.${zone}`;
        return [
          addressRecord(`${service.name}.${zone}`, address),
          ...(endpoint === undefined ? [] : [addressRecord(target, endpoint)]),
          ...service.ports.map(
            ({ name, range }): DnsRecord => ({
              name: `_${name}._${range.protocol}.${service.name}.${zone}`,
              type: "SRV",
              value: `0 0 ${range.from} ${target}`,
            }),
          ),
        ];
      }),
    ),
  ];
  const keyOf = ({ name, type, value }: DnsRecord) => `${name} ${type} ${value}`;
  return records.sort((a, b) => byText(keyOf(a), keyOf(b)));
}

function endpointOf(endpoints: MeshEndpoints, node: string, { name }: MeshService): string | undefined {
  return endpoints.get(node)?.endpoints.find(({ service }) => service === name)?.address;
}
