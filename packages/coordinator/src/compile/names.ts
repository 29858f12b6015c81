// In: a valid mesh. Out: the records of its zone. Pure; sorted.
import { familyOf } from "@weft/shared/model/address";
import type { DnsRecord } from "@weft/shared/model/desired";
import type { Mesh } from "@weft/shared/model/mesh";
import { byText } from "@weft/shared/plan/text-order";

export function compileRecords(mesh: Mesh): DnsRecord[] {
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
        const address = addresses.get(node);
        if (address === undefined) return [];
        return [
          addressRecord(`${service.name}.${zone}`, address),
          ...service.ports.map(
            ({ name, range }): DnsRecord => ({
              name: `_${name}._${range.protocol}.${service.name}.${zone}`,
              type: "SRV",
              value: `0 0 ${range.from} ${nodeName(node)}`,
            }),
          ),
        ];
      }),
    ),
  ];
  const keyOf = ({ name, type, value }: DnsRecord) => `${name} ${type} ${value}`;
  return records.sort((a, b) => byText(keyOf(a), keyOf(b)));
}
