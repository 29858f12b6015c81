// In: words of a mesh file, and an address, a node or a port. Out: whether the one is about the other. For the oracle, and so
// apart from what compiles rules.
import { BlockList } from "node:net";
import type {
  BaselineEntry,
  MeshNode,
  MeshPolicy,
  MeshService,
} from "../../packages/shared/src/model/mesh.ts";

export function inside(cidr: string, address: string): boolean {
  const family = address.includes(":") ? "ipv6" : "ipv4";
  if (cidr.includes(":") !== address.includes(":")) return false;
  const [network = "", bits] = cidr.split("/");
  const list = new BlockList();
  list.addSubnet(network, bits === undefined ? (family === "ipv6" ? 128 : 32) : Number(bits), family);
  return list.check(address, family);
}

export function hasLabels(of: MeshService | MeshNode, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([key, value]) => of.labels[key] === value);
}

export function coversPort(
  policy: MeshPolicy,
  name: string | undefined,
  { protocol, port }: { readonly protocol: string; readonly port: number },
): boolean {
  if (policy.ports === undefined) return true;
  return policy.ports.some((each) =>
    typeof each === "string"
      ? each === name
      : each.protocol === protocol && each.from <= port && port <= each.to,
  );
}

export function isAbout({ nodes }: BaselineEntry, node: MeshNode | undefined): boolean {
  if (nodes === undefined) return true;
  return nodes.some(
    (each) =>
      node !== undefined && (each.kind === "node" ? each.name === node.name : hasLabels(node, each.labels)),
  );
}
