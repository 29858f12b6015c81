// DesiredState <-> weft.v1.DesiredState. Decoding checks every field: a bad one refuses the whole state.
import { WeftError } from "../errors/weft-error.ts";
import type * as wire from "../gen/weft/v1/desired.ts";
import {
  type Action,
  type DesiredDns,
  type DesiredIdentity,
  type DesiredPolicy,
  type DesiredState,
  type DnsMode,
  type DnsRecord,
  type EgressRule,
  type Endpoint,
  type Guard,
  type IngressRule,
  longestConfirmTimeoutSeconds,
  type Mode,
  type Strength,
} from "../model/desired.ts";
import { parseDigest, parseNodeName } from "../model/ids.ts";
import { decodeCilium, encodeCilium } from "./cilium-desired-codec.ts";
import { decodeEtcdCluster, encodeEtcdCluster } from "./etcd-desired-codec.ts";
import { oneOf, present, toNumber } from "./number.ts";
import { address, block, decodeOrigin, decodePort, portNumber, userName } from "./policy-field.ts";
import { decodeUndeclared, encodeUndeclared } from "./undeclared-codec.ts";

const actions: readonly Action[] = ["allow", "deny"];
const modes: readonly Mode[] = ["enforce", "audit"];
const strengths: readonly Strength[] = ["mtls", "address+uid", "address"];
const dnsModes: readonly DnsMode[] = ["auto", "resolved-link", "file", "off"];
const recordTypes: readonly DnsRecord["type"][] = ["A", "AAAA", "SRV"];

export function encodeDesired(state: DesiredState): wire.DesiredState {
  return {
    generation: BigInt(state.generation),
    digest: state.digest,
    revision: BigInt(state.revision),
    mesh: state.mesh,
    trustDomain: state.trustDomain,
    node: state.node,
    address: state.address,
    identity: {
      spireServerAddress: state.identity.spireServerAddress,
      spireServerPort: state.identity.spireServerPort,
      workloads: state.identity.workloads.map((workload) => ({ ...workload, unit: workload.unit ?? "" })),
    },
    policy: encodePolicy(state.policy),
    cilium: state.cilium === undefined ? undefined : encodeCilium(state.cilium),
    etcdCluster: state.etcdCluster === undefined ? undefined : encodeEtcdCluster(state.etcdCluster),
    confirmTimeoutSeconds: state.confirmTimeoutSeconds ?? 0,
    keepEstablished: state.keepEstablished ?? false,
    dns: {
      zone: state.dns.zone,
      mode: state.dns.mode,
      upstreams: [...state.dns.upstreams],
      records: state.dns.records.map((record) => ({ ...record })),
    },
  };
}

function encodePolicy(policy: DesiredPolicy): wire.DesiredPolicy {
  const ingress = (rule: IngressRule): wire.IngressRule => ({
    ...rule,
    port: { ...rule.port },
    origin: { ...rule.origin },
  });
  const endpoint = (item: Endpoint): wire.Endpoint => ({ ...item, port: { ...item.port } });
  return {
    enforcement: policy.enforcement,
    services: policy.services.map(endpoint),
    ingress: policy.ingress.map(ingress),
    mesh: policy.mesh.map(endpoint),
    egress: policy.egress.map((rule) => ({
      ...rule,
      port: rule.port === undefined ? undefined : { ...rule.port },
      origin: { ...rule.origin },
    })),
    forward: policy.forward.map(ingress),
    guard: {
      ...policy.guard,
      admin: [...policy.guard.admin],
      ports: policy.guard.ports.map((port) => ({ ...port })),
      coordinatorPorts: policy.guard.coordinatorPorts.map((port) => ({ ...port })),
      nodeAddresses: [...policy.guard.nodeAddresses],
      upstreams: [...policy.guard.upstreams],
      banned: [...policy.guard.banned],
    },
    egressDefault: policy.egressDefault,
    mode: policy.mode,
    boot: policy.boot,
    endpoints: [...(policy.endpoints ?? [])],
    ...encodeUndeclared(policy),
  };
}

export function decodeDesired(message: wire.DesiredState): DesiredState {
  return {
    generation: toNumber(message.generation, "generation"),
    digest: parseDigest(message.digest),
    revision: toNumber(message.revision, "revision"),
    mesh: message.mesh,
    trustDomain: message.trustDomain,
    node: parseNodeName(message.node),
    address: address(message.address, "node address"),
    identity: decodeIdentity(present(message.identity, "identity")),
    policy: decodePolicy(present(message.policy, "policy")),
    dns: decodeDns(present(message.dns, "dns")),
    ...(message.cilium === undefined ? {} : { cilium: decodeCilium(message.cilium) }),
    ...(message.etcdCluster === undefined ? {} : { etcdCluster: decodeEtcdCluster(message.etcdCluster) }),
    ...confirmTimeout(message.confirmTimeoutSeconds),
    ...(message.keepEstablished ? { keepEstablished: true } : {}),
  };
}

function confirmTimeout(seconds: number): Pick<DesiredState, "confirmTimeoutSeconds"> {
  if (seconds === 0) return {};
  return { confirmTimeoutSeconds: Math.min(seconds, longestConfirmTimeoutSeconds) };
}

function decodeIdentity(message: wire.DesiredIdentity): DesiredIdentity {
  return {
    spireServerAddress: address(message.spireServerAddress, "SPIRE server address"),
    spireServerPort: portNumber(message.spireServerPort),
    workloads: message.workloads.map((workload) => ({
      service: workload.service,
      spiffeId: workload.spiffeId,
      user: userName(workload.user),
      unit: workload.unit === "" ? undefined : workload.unit,
    })),
  };
}

function decodePolicy(message: wire.DesiredPolicy): DesiredPolicy {
  return {
    enforcement: oneOf(message.enforcement, ["nftables"], "enforcement"),
    services: message.services.map(decodeEndpoint),
    ingress: message.ingress.map(decodeIngress),
    mesh: message.mesh.map(decodeEndpoint),
    egress: message.egress.map(decodeEgress),
    forward: message.forward.map(decodeIngress),
    guard: decodeGuard(present(message.guard, "guard")),
    egressDefault: oneOf(message.egressDefault, actions, "egress default"),
    mode: oneOf(message.mode, modes, "mode"),
    boot: oneOf(message.boot, ["guards-only", "open"], "boot"),
    ...(message.endpoints.length === 0
      ? {}
      : { endpoints: message.endpoints.map((item) => address(item, "endpoint")) }),
    ...decodeUndeclared(message),
  };
}

function decodeEndpoint(message: wire.Endpoint): Endpoint {
  return {
    service: message.service,
    node: message.node,
    address: address(message.address, "endpoint address"),
    portName: message.portName,
    port: decodePort(present(message.port, "endpoint port")),
    user: userName(message.user),
    mode: oneOf(message.mode, modes, "endpoint mode"),
  };
}

function decodeIngress(message: wire.IngressRule): IngressRule {
  return {
    service: message.service,
    port: decodePort(present(message.port, "ingress port")),
    action: oneOf(message.action, actions, "action"),
    mode: oneOf(message.mode, modes, "mode"),
    from: message.from,
    source: block(message.source, "ingress source"),
    strength: oneOf(message.strength, strengths, "strength"),
    origin: decodeOrigin(message.origin),
  };
}

function decodeEgress(message: wire.EgressRule): EgressRule {
  return {
    service: message.service,
    user: userName(message.user),
    to: message.to,
    destination: block(message.destination, "egress destination"),
    port: message.port === undefined ? undefined : decodePort(message.port),
    action: oneOf(message.action, actions, "action"),
    mode: oneOf(message.mode, modes, "mode"),
    origin: decodeOrigin(message.origin),
  };
}

function decodeGuard(message: wire.Guard): Guard {
  const coordinatorAddress = address(message.coordinatorAddress, "coordinator address");
  const banned = message.banned.map((item) => address(item, "banned address"));
  if (banned.includes(coordinatorAddress))
    throw new WeftError("WEFT-E003", "the coordinator's own address is banned");
  return {
    admin: message.admin.map((item) => block(item, "admin range")),
    ports: message.ports.map(decodePort),
    coordinatorAddress,
    coordinatorPorts: message.coordinatorPorts.map(decodePort),
    isCoordinator: message.isCoordinator,
    nodeAddresses: message.nodeAddresses.map((item) => address(item, "node address")),
    upstreams: message.upstreams.map((item) => address(item, "upstream")),
    banned,
  };
}

function decodeDns(message: wire.DesiredDns): DesiredDns {
  return {
    zone: message.zone,
    mode: oneOf(message.mode, dnsModes, "dns mode"),
    upstreams: message.upstreams.map((item) => address(item, "upstream")),
    records: message.records.map((record) => ({
      name: record.name,
      type: oneOf(record.type, recordTypes, "record type"),
      value: record.value,
    })),
  };
}
