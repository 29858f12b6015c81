// In: the words of `weft why`. Out: the ends and ports they stand for, or a refusal that names what there is. Pure.
import { WeftError } from "@weft/shared/errors/weft-error";
import { normaliseAddress } from "@weft/shared/model/address";
import type { Traffic } from "@weft/shared/model/desired";
import type { Mesh, MeshService } from "@weft/shared/model/mesh";
import { nearestName } from "@weft/shared/model/near";
import { icmpPort } from "@weft/shared/model/text-forms";
import { addressOfNode, type Identity, identityOfAddress } from "./identify.ts";

export interface Endpoint {
  readonly identity: Identity;
  /** For the sender's kernel; empty: root. */
  readonly user: string;
  readonly service: MeshService | undefined;
}

function unknownName(mesh: Mesh, text: string): WeftError {
  const names = [...mesh.services, ...mesh.nodes].map(({ name }) => name);
  const guess = nearestName(text, names);
  return new WeftError("WEFT-E103", `"${text}" is no service, node or address`, {
    why: guess === undefined ? `There are: ${names.join(", ")}.` : `Did you mean ${guess}?`,
    hint: "write a service, a node (node:NAME if a service has that name, too), USER@NODE or an address",
  });
}

const nodeEnd = (mesh: Mesh, name: string, user: string): Endpoint => ({
  identity: {
    kind: user === "" ? "node" : "user",
    name: user === "" ? name : user,
    node: name,
    address: addressOfNode(mesh, name),
    spiffeId: "",
  },
  user,
  service: undefined,
});

/**
 * Every instance of a service, or the one end it is.
 * @param otherNode the node that has an address the mesh file does not name
 */
export function endpointsOf(
  mesh: Mesh,
  text: string,
  otherNode: (address: string) => string | undefined,
): Endpoint[] {
  const hasNode = (name: string) => mesh.nodes.some((node) => node.name === name);
  const [, user, host] = /^([A-Za-z0-9_.-]+)@([a-z0-9-]+)$/.exec(text) ?? [];
  if (user !== undefined && host !== undefined && hasNode(host)) {
    const service = mesh.services.find((each) => each.user === user && each.nodes.includes(host));
    return service === undefined ? [nodeEnd(mesh, host, user)] : [serviceEnd(mesh, service, host)];
  }
  const bare = text.startsWith("node:") ? text.slice(5) : undefined;
  const service = mesh.services.find(({ name }) => name === text);
  if (service !== undefined) return service.nodes.map((node) => serviceEnd(mesh, service, node));
  if (hasNode(bare ?? text)) return [nodeEnd(mesh, bare ?? text, "")];
  const address = normaliseAddress(text);
  if (address === undefined) throw unknownName(mesh, text);
  const identity = identityOfAddress(mesh, address);
  const node = identity.kind === "none" ? otherNode(address) : undefined;
  if (node !== undefined) {
    const end = nodeEnd(mesh, node, "");
    return [{ ...end, identity: { ...end.identity, address } }];
  }
  return [{ identity, user: "", service: undefined }];
}

/** The instance of a service on one node. */
export function serviceEnd(mesh: Mesh, service: MeshService, node: string): Endpoint {
  const { name, spiffeId, user } = service;
  const address = addressOfNode(mesh, node);
  return { identity: { kind: "service", name, node, address, spiffeId }, user, service };
}

export interface AskedPort {
  readonly protocol: Traffic;
  readonly port: number;
}

/** @param text "8080", "8080/udp", the name of a port, "icmp", or nothing: the ports of the service */
export function portsOf(text: string, to: Endpoint): AskedPort[] {
  const declared = to.service?.ports ?? [];
  if (text === "") {
    if (declared.length > 0)
      return declared.map(({ range }) => ({ protocol: range.protocol, port: range.from }));
    throw new WeftError("WEFT-E001", "a port is needed", { hint: "as in: weft why web 192.0.2.7 443" });
  }
  if (text === icmpPort) return [{ protocol: icmpPort, port: 0 }];
  const [, number, protocol = "tcp"] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const port = Number(number);
  if (number !== undefined && port >= 1 && port <= 65535)
    return [{ protocol: protocol === "udp" ? "udp" : "tcp", port }];
  const named = declared.find(({ name }) => name === text);
  if (named !== undefined) return [{ protocol: named.range.protocol, port: named.range.from }];
  const names = declared.map(({ name, range }) => `${name} (${range.from}/${range.protocol})`);
  throw new WeftError("WEFT-E001", `"${text}" is no port`, {
    hint:
      names.length === 0 ? "write 8080, 8080/udp or icmp" : `write a number, or one of: ${names.join(", ")}`,
  });
}
