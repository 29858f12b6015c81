// In: a mesh as its file says it, and one connection. Out: whether it may come about. Written straight from what the
// mesh file means (design: mesh file, enforcement), and sharing nothing with what compiles, renders or judges rules.
import { BlockList } from "node:net";
import type {
  BaselineEntry,
  Mesh,
  MeshNode,
  MeshPolicy,
  MeshService,
} from "../../packages/shared/src/model/mesh.ts";

export interface Asked {
  /** undefined: a machine that is no node. */
  readonly fromNode: string | undefined;
  readonly user: string;
  readonly source: string;
  readonly toNode: string | undefined;
  readonly destination: string;
  /** icmp: a ping. */
  readonly protocol: "tcp" | "udp" | "icmp";
  /** 0 for a ping. */
  readonly port: number;
}

/** The node of the coordinator, and what it listens on. */
export interface HubPorts {
  readonly node: string;
  /** For nodes alone. */
  readonly members: readonly number[];
  /** For newcomers, too. */
  readonly enrolment: number;
}

/** As much as is known of a sender: of what is no node, the address. */
interface Who {
  readonly service: MeshService | undefined;
  readonly node: MeshNode | undefined;
  readonly address: string;
}

interface Target {
  readonly service: MeshService;
  readonly port: MeshService["ports"][number];
}

function inside(cidr: string, address: string): boolean {
  const family = address.includes(":") ? "ipv6" : "ipv4";
  if (cidr.includes(":") !== address.includes(":")) return false;
  const [network = "", bits] = cidr.split("/");
  const list = new BlockList();
  list.addSubnet(network, bits === undefined ? (family === "ipv6" ? 128 : 32) : Number(bits), family);
  return list.check(address, family);
}

export class Oracle {
  readonly #mesh: Mesh;
  readonly #hub: HubPorts;

  constructor(mesh: Mesh, hub: HubPorts) {
    this.#mesh = mesh;
    this.#hub = hub;
  }

  /** From one process to another, with every kernel on the way in order. */
  mayConnect(asked: Asked): boolean {
    return this.#maySend(asked) && this.#mayReceive(asked, this.#processOf(asked));
  }

  /** Of a sender whose kernel says nothing, an address is all there is: whoever may use it may come in. */
  mayArrive(asked: Asked): boolean {
    return this.#whoMayBe(asked.source).some((who) => this.#mayReceive(asked, who));
  }

  /** By DNAT of `toNode` to somewhere that is no node, such as a container with a published port. */
  mayReachPublished(asked: Asked): boolean {
    const { toNode = "" } = asked;
    const target = this.#targetOn(toNode, asked);
    if (target === undefined) return this.#isOpen(toNode, asked);
    return this.#whoMayBe(asked.source).some((who) => this.#mayCall(who, target, asked));
  }

  #whoMayBe(address: string): Who[] {
    const node = this.#nodeAt(address);
    const anybody: Who = { service: undefined, node, address };
    const services = this.#mesh.services.filter(({ nodes }) => node && nodes.includes(node.name));
    return [anybody, ...services.map((service) => ({ ...anybody, service }))];
  }

  /** Passed on by a node that is neither end, for somebody who is no node. */
  mayBeForwarded(asked: Asked): boolean {
    const target = this.#targetAt(asked.destination, asked);
    if (target === undefined) return true;
    return this.#mayCall({ service: undefined, node: undefined, address: asked.source }, target, asked);
  }

  #nodeAt(address: string): MeshNode | undefined {
    return this.#mesh.nodes.find((node) => node.address === address);
  }

  #serviceOf({ fromNode, user }: Asked): MeshService | undefined {
    return this.#mesh.services.find(
      (service) => fromNode !== undefined && service.user === user && service.nodes.includes(fromNode),
    );
  }

  #processOf(asked: Asked): Who {
    const node = this.#nodeAt(asked.source);
    // from any other address of its machine a service is nobody
    return {
      service: node === undefined ? undefined : this.#serviceOf(asked),
      node,
      address: asked.source,
    };
  }

  #targetOn(nodeName: string, { protocol, port }: Asked): Target | undefined {
    for (const service of this.#mesh.services)
      for (const each of service.ports)
        if (
          service.nodes.includes(nodeName) &&
          each.range.protocol === protocol &&
          port >= each.range.from &&
          port <= each.range.to
        )
          return { service, port: each };
    return undefined;
  }

  #targetAt(address: string, asked: Asked): Target | undefined {
    const node = this.#nodeAt(address);
    return node === undefined ? undefined : this.#targetOn(node.name, asked);
  }

  #isFrom(policy: MeshPolicy, { service, node, address }: Who): boolean {
    return policy.from.some((from) => {
      if (from.kind === "service") return service?.name === from.name;
      if (from.kind === "labels") return service !== undefined && hasLabels(service, from.labels);
      if (from.kind === "node") return node?.name === from.name;
      // a CIDR never grants a mesh address anything, but it may refuse it
      return inside(from.cidr, address) && (policy.action === "deny" || node === undefined);
    });
  }

  #isTo(policy: MeshPolicy, { service }: Target): boolean {
    return policy.to.some(
      (to) =>
        (to.kind === "service" && to.name === service.name) ||
        (to.kind === "labels" && hasLabels(service, to.labels)),
    );
  }

  #enforces(policy: MeshPolicy): boolean {
    return (policy.mode ?? this.#mesh.defaults.mode) === "enforce";
  }

  /** A declared port is on trial while everything that opens any of it is. */
  #isOnTrial(target: Target): boolean {
    const { range, name } = target.port;
    const opening = this.#mesh.policies.filter(
      (policy) =>
        policy.action === "allow" &&
        this.#isTo(policy, target) &&
        (policy.ports?.some((port) =>
          typeof port === "string"
            ? port === name
            : port.protocol === range.protocol && port.from <= range.to && range.from <= port.to,
        ) ??
          true),
    );
    if (opening.length === 0) return this.#mesh.defaults.mode === "audit";
    return !opening.some((policy) => this.#enforces(policy));
  }

  /** Deny wins; else an allowance; else nobody. */
  #mayCall(who: Who, target: Target, asked: Asked): boolean {
    const speaking = this.#mesh.policies.filter(
      (policy) =>
        this.#isTo(policy, target) &&
        coversPort(policy, target.port.name, asked) &&
        this.#isFrom(policy, who),
    );
    if (speaking.some((policy) => policy.action === "deny" && this.#enforces(policy))) return false;
    if (speaking.some((policy) => policy.action === "allow")) return true;
    return this.#isOnTrial(target);
  }

  #maySend(asked: Asked): boolean {
    const { destination, protocol, port } = asked;
    const node = this.#mesh.nodes.find(({ name }) => name === asked.fromNode);
    if (node === undefined) return true;
    const hub = this.#mesh.nodes.find(({ name }) => name === this.#hub.node);
    const hubPorts = [...this.#hub.members, this.#hub.enrolment];
    if (destination === hub?.address && protocol === "tcp" && hubPorts.includes(port)) return true;
    if (port === 53 && this.#mesh.dns.upstreams.includes(destination)) return true;
    const service = this.#serviceOf(asked);
    const outgoing = this.#mesh.policies.filter(
      (policy) =>
        policy.to.some((to) => to.kind === "cidr" && inside(to.cidr, destination)) &&
        coversPort(policy, undefined, asked) &&
        this.#isFrom(policy, { service, node, address: node.address }),
    );
    if (outgoing.some((policy) => policy.action === "deny" && this.#enforces(policy))) return false;
    const target = this.#targetAt(destination, asked);
    if (target !== undefined) return this.#mayCall({ service, node, address: node.address }, target, asked);
    if (service === undefined || this.#mesh.defaults.egress === "allow") return true;
    if (this.#nodeAt(destination) === undefined && outgoing.some(({ action }) => action === "allow"))
      return true;
    return this.#mesh.defaults.mode === "audit";
  }

  #mayReceive(asked: Asked, who: Who): boolean {
    const { toNode, protocol, port, source } = asked;
    if (toNode === undefined) return true;
    if (toNode === this.#hub.node && protocol === "tcp") {
      if (port === this.#hub.enrolment) return true;
      if (this.#hub.members.includes(port)) return this.#nodeAt(source) !== undefined;
    }
    if (this.#isAdmin(asked)) return true;
    if (protocol === "icmp") return this.#mayPing(toNode, asked);
    const target = this.#targetOn(toNode, asked);
    return target === undefined ? this.#isOpen(toNode, asked) : this.#mayCall(who, target, asked);
  }

  /** By address alone: whoever is on a node, the node's address speaks for every service on it. */
  #mayPing(toNode: string, asked: Asked): boolean {
    const speaking = this.#mesh.policies.filter(
      (policy) =>
        policy.icmp === true &&
        policy.to.some((to) =>
          to.kind === "node"
            ? to.name === toNode
            : this.#mesh.services.some(
                (service) =>
                  service.nodes.includes(toNode) &&
                  ((to.kind === "service" && to.name === service.name) ||
                    (to.kind === "labels" && hasLabels(service, to.labels))),
              ),
        ) &&
        this.#whoMayBe(asked.source).some((who) => this.#isFrom(policy, who)),
    );
    if (speaking.some((policy) => policy.action === "deny" && this.#enforces(policy))) return false;
    return speaking.some(({ action }) => action === "allow") || this.#isOpen(toNode, asked);
  }

  /** What no service declares: open, unless the baseline closes the node and lets this one not in. */
  #isOpen(toNode: string, { source, protocol, port }: Asked): boolean {
    const node = this.#mesh.nodes.find(({ name }) => name === toNode);
    const entries = (this.#mesh.baseline ?? []).filter((entry) => isAbout(entry, node));
    const closing = entries.filter(({ closes }) => closes);
    if (closing.length === 0) return true;
    const holds = (range: { protocol: string; from: number; to: number }) =>
      range.protocol === protocol && range.from <= port && port <= range.to;
    const sender = this.#nodeAt(source);
    const isLetIn = entries
      .flatMap(({ allow }) => allow)
      .filter(({ ports, icmp }) => (protocol === "icmp" ? icmp : ports.some(holds)))
      .flatMap(({ from }) => from)
      .some(
        (from) =>
          from.kind === "any" ||
          (from.kind === "node" && sender?.name === from.name) ||
          (from.kind === "cidr" && sender === undefined && inside(from.cidr, source)),
      );
    if (isLetIn) return true;
    // from there it is proved that guard ports are still reached
    if (sender?.name === this.#hub.node && this.#mesh.guard.ports.some(holds)) return true;
    return closing.every(({ mode }) => (mode ?? this.#mesh.defaults.mode) === "audit");
  }

  #isAdmin({ source, protocol, port }: Asked): boolean {
    const { admin, ports } = this.#mesh.guard;
    if (!ports.some((each) => each.protocol === protocol && each.from <= port && port <= each.to))
      return false;
    // a stolen node is no administrator, unless the file names it
    if (this.#nodeAt(source) !== undefined) return admin.includes(source);
    return admin.some((range) => inside(range, source));
  }
}

function hasLabels(of: MeshService | MeshNode, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([key, value]) => of.labels[key] === value);
}

function coversPort(policy: MeshPolicy, name: string | undefined, { protocol, port }: Asked): boolean {
  if (policy.ports === undefined) return true;
  return policy.ports.some((each) =>
    typeof each === "string"
      ? each === name
      : each.protocol === protocol && each.from <= port && port <= each.to,
  );
}

function isAbout({ nodes }: BaselineEntry, node: MeshNode | undefined): boolean {
  if (nodes === undefined) return true;
  return nodes.some(
    (each) =>
      node !== undefined && (each.kind === "node" ? each.name === node.name : hasLabels(node, each.labels)),
  );
}
