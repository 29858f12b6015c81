// DesiredEtcdCluster <-> weft.v1. Decoding checks every field: names go into certificates' requests, files and arguments.
import { WeftError } from "../errors/weft-error.ts";
import type * as wire from "../gen/weft/v1/desired.ts";
import { familyOf } from "../model/address.ts";
import type { DesiredEtcdCluster, EtcdClient, EtcdMember } from "../model/desired-etcd.ts";
import { isLabel, parseNodeName } from "../model/ids.ts";
import { address } from "./policy-field.ts";

export function encodeEtcdCluster({ members, clients }: DesiredEtcdCluster): wire.DesiredEtcdCluster {
  return {
    members: members.map((member) => ({ ...member })),
    clients: clients.map((client) => ({ ...client, addresses: [...client.addresses] })),
  };
}

export function decodeEtcdCluster(message: wire.DesiredEtcdCluster): DesiredEtcdCluster {
  if (message.members.length === 0) throw bad("an etcd without a member");
  const members = message.members.map(decodeMember);
  const clients = message.clients.map(decodeClient);
  for (const what of ["node", "name", "address"] as const)
    for (const all of [members, clients])
      if (new Set(all.map((each) => each[what])).size !== all.length)
        throw bad(`two members or two clients of etcd have the same ${what}`);
  return { members, clients };
}

function decodeMember({ node, address: at, name }: wire.EtcdMember): EtcdMember {
  return {
    node: parseNodeName(node),
    address: address(at, "address of a member of etcd"),
    name: hostName(name),
  };
}

function decodeClient({ node, address: at, name, addresses }: wire.EtcdClient): EtcdClient {
  const endpoints = addresses.map((each) => address(each, "address of an endpoint"));
  for (const each of endpoints) if (familyOf(each) !== 4) throw bad(`"${each}" is no IPv4 address`);
  return {
    node: parseNodeName(node),
    address: address(at, "address of a client of etcd"),
    name: hostName(name),
    addresses: endpoints,
  };
}

function hostName(text: string): string {
  if (text.length <= 253 && text.includes(".") && text.split(".").every(isLabel)) return text;
  throw bad(`"${text}" is no name for a certificate`);
}

function bad(what: string): WeftError {
  return new WeftError("WEFT-E003", what);
}
