// In: the mesh, and an address or a user of a node. Out: who that is by identity: a service, a user of a node, a node,
// or nobody. Pure.
import type { Traffic } from "@weft/shared/model/desired";
import type { Mesh, MeshService, ServicePort } from "@weft/shared/model/mesh";

export interface Identity {
  /** none: an address that no node has. */
  readonly kind: "service" | "user" | "node" | "none";
  /** Of the service, user or node. */
  readonly name: string;
  readonly node: string;
  readonly address: string;
  readonly spiffeId: string;
}

export function addressOfNode(mesh: Mesh, node: string): string {
  return mesh.nodes.find(({ name }) => name === node)?.address ?? "";
}

export function identityOfUser(mesh: Mesh, node: string, user: string, uid: number | undefined): Identity {
  const address = addressOfNode(mesh, node);
  const service = mesh.services.find((each) => each.user === user && each.nodes.includes(node));
  if (service !== undefined)
    return { kind: "service", name: service.name, node, address, spiffeId: service.spiffeId };
  // a packet of the kernel's own, or of a socket that is gone
  if (user === "" && uid === undefined) return { kind: "node", name: node, node, address, spiffeId: "" };
  return { kind: "user", name: user === "" ? `uid ${uid}` : user, node, address, spiffeId: "" };
}

export function identityOfAddress(mesh: Mesh, address: string): Identity {
  const node = mesh.nodes.find((each) => each.address === address);
  if (node === undefined) return { kind: "none", name: "", node: "", address, spiffeId: "" };
  return { kind: "node", name: node.name, node: node.name, address, spiffeId: "" };
}

export interface Target {
  readonly service: MeshService;
  readonly port: ServicePort;
}

/** The service whose declared port that is. */
export function targetOn(mesh: Mesh, node: string, protocol: Traffic, port: number): Target | undefined {
  for (const service of mesh.services) {
    if (!service.nodes.includes(node)) continue;
    const found = service.ports.find(
      ({ range }) => range.protocol === protocol && range.from <= port && port <= range.to,
    );
    if (found !== undefined) return { service, port: found };
  }
  return undefined;
}

export function identityOfTarget(
  mesh: Mesh,
  address: string,
  protocol: Traffic,
  port: number,
): Identity & { readonly portName: string } {
  const host = identityOfAddress(mesh, address);
  const target = host.kind === "node" ? targetOn(mesh, host.node, protocol, port) : undefined;
  if (target === undefined) return { ...host, portName: "" };
  const { service } = target;
  return {
    ...host,
    kind: "service",
    name: service.name,
    spiffeId: service.spiffeId,
    portName: target.port.name,
  };
}

/** "web on web1", "user mallory on web1", "node hub", "no identity, 10.77.0.9" */
export function identityText({ kind, name, node, address }: Identity): string {
  switch (kind) {
    case "service":
      return `${name} on ${node}`;
    case "user":
      return `user ${name} on ${node}`;
    case "node":
      return `node ${name}`;
    case "none":
      return `no identity, ${address}`;
  }
}
