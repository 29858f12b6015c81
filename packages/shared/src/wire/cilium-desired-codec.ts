// DesiredCilium <-> weft.v1. Decoding checks every field: names become names of units, links and files on the node.
import { WeftError } from "../errors/weft-error.ts";
import type * as wire from "../gen/weft/v1/desired.ts";
import { covers, familyOf } from "../model/address.ts";
import type { CiliumPeer, CiliumRule } from "../model/cilium-policy.ts";
import type { Action } from "../model/desired.ts";
import type { DesiredCilium, DesiredEndpoint, DesiredEtcd } from "../model/desired-cilium.ts";
import { isLabel } from "../model/ids.ts";
import { etcdMemberForm, filePathForm, movedUnitForm } from "../model/text-forms.ts";
import { oneOf, present } from "./number.ts";
import { address, block, decodeOrigin, decodePort } from "./policy-field.ts";

const actions: readonly Action[] = ["allow", "deny"];
const directions: readonly CiliumRule["direction"][] = ["ingress", "egress"];

export function encodeCilium({ etcd, range, ranges, endpoints }: DesiredCilium): wire.DesiredCilium {
  return {
    etcd: etcd === undefined ? undefined : encodeEtcd(etcd),
    range,
    ranges,
    endpoints: endpoints.map((endpoint) => ({
      ...endpoint,
      ports: endpoint.ports.map((port) => ({ ...port })),
      rules: endpoint.rules.map(encodeRule),
    })),
  };
}

function encodeEtcd({ members, ca = "", certificate = "", key = "" }: DesiredEtcd): wire.DesiredEtcd {
  return { members: [...members], ca, certificate, key };
}

function encodeRule(rule: CiliumRule): wire.CiliumRule {
  return {
    direction: rule.direction,
    action: rule.action,
    peer: { peer: encodePeer(rule.peer) },
    everyPort: rule.ports === undefined,
    ports: (rule.ports ?? []).map((port) => ({ ...port })),
    origin: { ...rule.origin },
    because: rule.because,
  };
}

function encodePeer(peer: CiliumPeer): wire.CiliumPeer["peer"] {
  switch (peer.kind) {
    case "service":
      return { $case: "service", value: { service: peer.service, spiffeId: peer.spiffeId } };
    case "node":
      return { $case: "node", value: { node: peer.node, address: peer.address } };
    case "host":
      return { $case: "host", value: true };
    case "range":
      return { $case: "range", value: { cidr: peer.cidr, except: [...peer.except] } };
  }
}

export function decodeCilium(message: wire.DesiredCilium): DesiredCilium {
  const range = ipv4Block(message.range, "range of endpoints");
  const ranges = ipv4Block(message.ranges, "ranges of endpoints");
  if (!covers(ranges, range)) throw bad(`the range ${range} is not inside ${ranges}`);
  const endpoints = message.endpoints.map((endpoint) => decodeEndpoint(endpoint, range));
  for (const what of ["service", "unit", "address"] as const)
    if (new Set(endpoints.map((endpoint) => endpoint[what])).size !== endpoints.length)
      throw bad(`two endpoints have the same ${what}`);
  const etcd = message.etcd === undefined ? undefined : decodeEtcd(message.etcd);
  return { etcd, range, ranges, endpoints };
}

function decodeEtcd({ members, ca, certificate, key }: wire.DesiredEtcd): DesiredEtcd {
  if (members.length === 0) throw bad("etcd has no member");
  for (const member of members)
    if (etcdMemberForm.parse(member) === undefined) throw bad(`"${member}" is no URL of an etcd`);
  const [caFile, certificateFile, keyFile] = [ca, certificate, key].map(optionalPath);
  if ((certificateFile === undefined) !== (keyFile === undefined))
    throw bad("of etcd's client certificate and its key one is missing");
  return { members: [...members], ca: caFile, certificate: certificateFile, key: keyFile };
}

function optionalPath(text: string): string | undefined {
  if (text === "") return undefined;
  if (filePathForm.parse(text) === undefined) throw bad(`"${text}" is no absolute path of a file`);
  return text;
}

function decodeEndpoint(message: wire.DesiredEndpoint, range: string): DesiredEndpoint {
  const inside = address(message.address, "address of an endpoint");
  if (!covers(range, inside)) throw bad(`the endpoint ${inside} is not inside ${range}`);
  if (!isLabel(message.service)) throw bad(`"${message.service}" is no service name`);
  if (movedUnitForm.parse(message.unit) === undefined)
    throw bad(`"${message.unit}" is no name of a service unit`);
  return {
    service: message.service,
    spiffeId: message.spiffeId,
    unit: message.unit,
    address: inside,
    ports: message.ports.map(decodePort),
    rules: message.rules.map(decodeRule),
  };
}

function decodeRule(message: wire.CiliumRule): CiliumRule {
  return {
    direction: oneOf(message.direction, directions, "direction"),
    action: oneOf(message.action, actions, "action"),
    peer: decodePeer(present(message.peer?.peer, "peer")),
    ports: message.everyPort ? undefined : message.ports.map(decodePort),
    origin: decodeOrigin(message.origin),
    because: message.because,
  };
}

function decodePeer(peer: NonNullable<wire.CiliumPeer["peer"]>): CiliumPeer {
  switch (peer.$case) {
    case "service":
      return { kind: "service", service: peer.value.service, spiffeId: peer.value.spiffeId };
    case "node":
      return { kind: "node", node: peer.value.node, address: address(peer.value.address, "peer address") };
    case "host":
      return { kind: "host" };
    case "range":
      return {
        kind: "range",
        cidr: block(peer.value.cidr, "peer range"),
        except: peer.value.except.map((part) => block(part, "exception")),
      };
  }
}

function ipv4Block(text: string, what: string): string {
  const cidr = block(text, what);
  if (!cidr.includes("/") || familyOf(cidr) !== 4) throw bad(`the ${what} "${text}" is no IPv4 CIDR`);
  return cidr;
}

function bad(what: string): WeftError {
  return new WeftError("WEFT-E003", what);
}
