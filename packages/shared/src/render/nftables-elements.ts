// In: what a node is to enforce, and how its users are written. Out: the elements of each policy set. Pure.
import { familyOf, parseCidr } from "../model/address.ts";
import {
  type Baseline,
  coordinatorUser,
  type DesiredContent,
  type EgressRule,
  type Endpoint,
  type Guard,
  type IngressRule,
  type PingRule,
  type PortRange,
} from "../model/desired.ts";
import { blockOf, commentOf, elementsOf, type Item, originComment } from "./nftables-set.ts";

/** A user as the kernel is to know it; undefined: nobody on this node is that user. */
export type UidText = (user: string) => string | undefined;

export function policyElements(content: DesiredContent, uidOf: UidText): Map<string, string[]> {
  const { policy } = content;
  const items = new Map<string, Item[]>();
  const add = (set: string, item: Item) => {
    const found = items.get(set);
    if (found === undefined) items.set(set, [item]);
    else found.push(item);
  };
  addGuards(add, content, uidOf);
  for (const endpoint of policy.services) addLocalPort(add, endpoint);
  for (const endpoint of policy.mesh) addMeshPort(add, endpoint);
  for (const rule of policy.ingress) addIngress(add, rule);
  for (const rule of policy.egress) addEgress(add, rule, uidOf);
  for (const rule of policy.forward) addForward(add, rule, policy.mesh);
  for (const rule of policy.ping ?? []) addPing(add, rule);
  for (const address of policy.endpoints ?? []) add("endpoints4", addressItem(address, "endpoint"));
  if (policy.baseline !== undefined) addBaseline(add, policy.baseline, policy.guard);
  if (policy.egressDefault === "deny")
    for (const { user, service } of content.identity.workloads) {
      const uid = uidOf(user);
      if (uid === undefined) continue;
      add("outside_uids", plain(uid, service));
      if (policy.mode === "audit") add("outside_audit_uids", plain(uid, service));
    }
  return new Map([...items].map(([set, found]) => [set, elementsOf(found)]));
}

type Add = (set: string, item: Item) => void;

/** A CIDR of the mesh file, as against the address of a service or node: those have names. */
function isBlock(name: string): boolean {
  return parseCidr(name) !== undefined;
}

function plain(key: string, comment: string): Item {
  return { group: key, ports: undefined, block: undefined, comment: commentOf(comment), write: () => key };
}

function addressItem(text: string, comment: string): Item {
  return {
    group: "",
    ports: undefined,
    block: blockOf(text),
    comment: commentOf(comment),
    write: (_, block) => block,
  };
}

function portItem(range: PortRange, comment: string): Item {
  return { group: "", ports: range, block: undefined, comment: commentOf(comment), write: (ports) => ports };
}

/** [PREFIX .] ADDRESS . PROTOCOL . PORTS */
function targetItem(prefix: string, address: string, range: PortRange, comment: string): Item {
  const { protocol } = range;
  return {
    group: `${prefix}${protocol}`,
    ports: range,
    block: blockOf(address),
    comment,
    write: (ports, block) => `${prefix}${block} . ${protocol} . ${ports}`,
  };
}

function addGuards(add: Add, content: DesiredContent, uidOf: UidText): void {
  const { guard, mesh } = content.policy;
  const addresses = new Set([...guard.nodeAddresses, ...mesh.map(({ address }) => address)]);
  for (const address of addresses) add(`nodes${familyOf(address)}`, addressItem(address, ""));
  // a node never locks itself out of itself
  for (const banned of guard.banned)
    if (banned !== content.address) add(`banned${familyOf(banned)}`, addressItem(banned, "banned"));
  for (const range of guard.admin) {
    const { family, bits } = blockOf(range);
    const isHost = bits === (family === 4 ? 32 : 128);
    add(isHost ? `admin_host${family}` : `admin${family}`, addressItem(range, "guard"));
  }
  for (const range of guard.ports)
    add("guard_ports", {
      group: range.protocol,
      ports: range,
      block: undefined,
      comment: "guard",
      write: (ports) => `${range.protocol} . ${ports}`,
    });
  const [agent, enrolment, ...others] = guard.coordinatorPorts;
  if (guard.isCoordinator) {
    for (const range of [agent, ...others])
      if (range !== undefined) add("coordinator_ports", portItem(range, "coordinator"));
    if (enrolment !== undefined) add("enrolment_ports", portItem(enrolment, "enrolment"));
    const prober = uidOf(coordinatorUser);
    if (prober !== undefined) add("prober_uids", plain(prober, "coordinator"));
  }
  const out = `guard_out${familyOf(guard.coordinatorAddress)}`;
  for (const range of guard.coordinatorPorts)
    add(out, targetItem("", guard.coordinatorAddress, range, "coordinator"));
  for (const upstream of guard.upstreams)
    for (const protocol of ["tcp", "udp"] as const)
      add(
        `guard_out${familyOf(upstream)}`,
        targetItem("", upstream, { protocol, from: 53, to: 53 }, "upstream"),
      );
}

function addLocalPort(add: Add, endpoint: Endpoint): void {
  const { protocol } = endpoint.port;
  const comment = `${endpoint.service}:${endpoint.portName}`;
  add(`${protocol}_ports`, portItem(endpoint.port, comment));
  if (endpoint.mode === "audit") add(`${protocol}_audit`, portItem(endpoint.port, comment));
}

function addMeshPort(add: Add, endpoint: Endpoint): void {
  const family = familyOf(endpoint.address);
  const comment = commentOf(`${endpoint.service}:${endpoint.portName} on ${endpoint.node}`);
  add(`mesh${family}`, targetItem("", endpoint.address, endpoint.port, comment));
  if (endpoint.mode === "audit")
    add(`mesh_audit${family}`, targetItem("", endpoint.address, endpoint.port, comment));
}

function addIngress(add: Add, rule: IngressRule): void {
  const part =
    rule.action === "deny"
      ? rule.mode === "audit"
        ? "watch"
        : "deny"
      : isBlock(rule.from)
        ? "cidr"
        : "allow";
  add(`in_${rule.port.protocol}_${part}${familyOf(rule.source)}`, {
    group: "",
    ports: rule.port,
    block: blockOf(rule.source),
    comment: originComment(rule.origin),
    write: (ports, block) => `${ports} . ${block}`,
  });
}

function addEgress(add: Add, rule: EgressRule, uidOf: UidText): void {
  const family = familyOf(rule.destination);
  const comment = originComment(rule.origin);
  const part = rule.action === "deny" ? (rule.mode === "audit" ? "watch" : "deny") : "allow";
  if (rule.user === "") {
    if (rule.port !== undefined)
      add(`out_node_${part}${family}`, targetItem("", rule.destination, rule.port, comment));
    return;
  }
  const uid = uidOf(rule.user);
  if (uid === undefined) return;
  const set = part === "allow" && isBlock(rule.to) ? "outside_allow" : `out_${part}`;
  if (rule.port !== undefined) {
    add(`${set}${family}`, targetItem(`${uid} . `, rule.destination, rule.port, comment));
    return;
  }
  // a service by name always has ports; only a CIDR stands for all of them
  if (set === "out_allow") return;
  add(`${set}_all${family}`, {
    group: uid,
    ports: undefined,
    block: blockOf(rule.destination),
    comment,
    write: (_, block) => `${uid} . ${block}`,
  });
}

/** A source outside the mesh and every instance of the service it may, or may not, be forwarded to. */
function addForward(add: Add, rule: IngressRule, mesh: readonly Endpoint[]): void {
  const part = rule.action === "deny" ? (rule.mode === "audit" ? "watch" : "deny") : "allow";
  const family = familyOf(rule.source);
  const addresses = new Set(
    mesh.filter(({ service }) => service === rule.service).map(({ address }) => address),
  );
  for (const address of addresses)
    if (familyOf(address) === family)
      add(`forward_${part}${family}`, {
        group: `${address} ${rule.port.protocol}`,
        ports: rule.port,
        block: blockOf(rule.source),
        comment: originComment(rule.origin),
        write: (ports, block) => `${block} . ${address} . ${rule.port.protocol} . ${ports}`,
      });
}

function addPing(add: Add, rule: PingRule): void {
  const part =
    rule.action === "deny"
      ? rule.mode === "audit"
        ? "watch"
        : "deny"
      : isBlock(rule.from)
        ? "cidr"
        : "allow";
  add(`ping_${part}${familyOf(rule.source)}`, addressItem(rule.source, originComment(rule.origin)));
}

function addBaseline(add: Add, { mode, origin, allow }: Baseline, guard: Guard): void {
  for (const family of ["ipv4", "ipv6"]) {
    add("baseline", plain(family, originComment(origin)));
    if (mode === "audit") add("baseline_audit", plain(family, originComment(origin)));
  }
  const open = (range: PortRange, source: string, part: "allow" | "cidr", comment: string) =>
    add(`base_${range.protocol}_${part}${familyOf(source)}`, {
      group: "",
      ports: range,
      block: blockOf(source),
      comment,
      write: (ports, block) => `${ports} . ${block}`,
    });
  for (const { from, source, port, origin: line } of allow) {
    const part = isBlock(from) ? "cidr" : "allow";
    const comment = originComment(line);
    if (port === undefined) add(`ping_${part}${familyOf(source)}`, addressItem(source, comment));
    else open(port, source, part, comment);
  }
  // it proves by a fresh connection that a guard port is still reached
  for (const range of guard.ports) open(range, guard.coordinatorAddress, "allow", "coordinator");
}
