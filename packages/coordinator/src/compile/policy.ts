// In: a valid mesh. Out: for each node, what its kernel is to enforce. Pure, and the same for any order in the file.
import { cidrContains, parseCidr } from "@weft/shared/model/address";
import type {
  DesiredPolicy,
  EgressRule,
  Endpoint,
  Guard,
  IngressRule,
  PortRange,
  Strength,
} from "@weft/shared/model/desired";
import type { Mesh, MeshNode, MeshService } from "@weft/shared/model/mesh";
import { type Grant, grantsOn, portMode, type ResolvedPolicy, resolvePolicies } from "./grants.ts";
import { byText, inOrder } from "./order.ts";
import { baselineOf, pingRules, rangesOf } from "./undeclared.ts";

/** Where the coordinator is to be found. */
export interface CoordinatorPlace {
  readonly node: string;
  readonly address: string;
  readonly agentPort: number;
  readonly enrolmentPort: number;
  readonly spirePort: number;
}

/** Everything about one service that its own node, its callers' nodes and those between them need. */
interface ServicePlan {
  readonly service: MeshService;
  readonly instances: readonly MeshNode[];
  readonly endpoints: readonly Endpoint[];
  readonly grants: readonly Grant[];
}

export function compilePolicies(mesh: Mesh, coordinator: CoordinatorPlace): Map<string, DesiredPolicy> {
  const nodes = new Map(mesh.nodes.map((node) => [node.name, node]));
  const policies = resolvePolicies(mesh);
  const plans = mesh.services.map((service) => planService(mesh, service, nodes, policies));
  const endpoints = inOrder(plans.flatMap((plan) => plan.endpoints));
  const ingress = byNode(plans.flatMap(ingressOf));
  const covered = coveredAddresses(mesh.nodes);
  const local = byNode(endpoints.map((endpoint) => [endpoint.node, endpoint] as const));
  const forwarded = plans.filter(({ grants }) => grants.some(({ source }) => source.kind === "cidr"));
  const egress = byNode([...plans.flatMap(callsOf), ...outsideOf(policies, nodes)]);
  const pings = pingRules(mesh, policies, nodes);
  return new Map(
    mesh.nodes.map((node) => {
      const received = inOrder(ingress.get(node.name) ?? []);
      const sent = inOrder(egress.get(node.name) ?? []);
      const baseline = baselineOf(mesh, node, nodes);
      const ping = pings.get(node.name);
      const covering = [
        ...rangesOf(baseline, ping ?? []),
        ...received.filter(({ from, source }) => from === source).map(({ source }) => source),
        ...sent.filter(({ to, destination }) => to === destination).map(({ destination }) => destination),
        ...mesh.guard.admin,
      ];
      return [
        node.name,
        {
          enforcement: "nftables",
          services: local.get(node.name) ?? [],
          ingress: received,
          mesh: endpoints,
          egress: sent,
          forward: inOrder(forwarded.flatMap((plan) => forwardOf(plan, node))),
          guard: guardOf(mesh, node, coordinator, covering, covered),
          egressDefault: mesh.defaults.egress,
          mode: mesh.defaults.mode,
          boot: mesh.defaults.boot,
          ...(baseline === undefined ? {} : { baseline }),
          ...(ping === undefined ? {} : { ping }),
        },
      ];
    }),
  );
}

function planService(
  mesh: Mesh,
  service: MeshService,
  nodes: ReadonlyMap<string, MeshNode>,
  policies: readonly ResolvedPolicy[],
): ServicePlan {
  const leading = policies.filter(({ to }) => to.has(service.name));
  const instances = service.nodes.flatMap((name) => nodes.get(name) ?? []);
  const ports = service.ports.map((port) => ({ port, mode: portMode(port, leading, mesh.defaults.mode) }));
  return {
    service,
    instances,
    endpoints: instances.flatMap((node) =>
      ports.map(({ port, mode }) => ({
        service: service.name,
        node: node.name,
        address: node.address,
        portName: port.name,
        port: port.range,
        user: service.user,
        mode,
      })),
    ),
    grants: ports.flatMap(({ port, mode }) => grantsOn(nodes, port, leading, mode)),
  };
}

type Placed<T> = readonly [node: string, rule: T];

function byNode<T>(placed: readonly Placed<T>[]): ReadonlyMap<string, T[]> {
  const map = new Map<string, T[]>();
  for (const [node, rule] of placed) {
    const rules = map.get(node);
    if (rules === undefined) map.set(node, [rule]);
    else rules.push(rule);
  }
  return map;
}

function ingressRule(service: MeshService, grant: Grant): IngressRule {
  const { source } = grant;
  const strength: Strength = source.kind === "service" ? "address+uid" : "address";
  return {
    service: service.name,
    port: grant.port,
    action: grant.action,
    mode: grant.mode,
    from:
      source.kind === "cidr" ? source.cidr : source.kind === "node" ? source.node.name : source.service.name,
    source: source.kind === "cidr" ? source.cidr : source.node.address,
    strength,
    origin: grant.origin,
  };
}

/** At the receiver only addresses can be told apart: a service is refused there when nothing else shares its address. */
function ingressOf({ service, instances, grants }: ServicePlan): Placed<IngressRule>[] {
  return grants
    .filter((grant) => grant.action === "allow" || grant.source.kind !== "service" || grant.soleAtAddress)
    .flatMap((grant) => instances.map((node) => [node.name, ingressRule(service, grant)] as const));
}

/** At the sender a service is told by its user; a node named as such speaks for any of its processes. */
function callsOf({ service, instances, grants }: ServicePlan): Placed<EgressRule>[] {
  return grants.flatMap(({ source, port, action, mode, origin }) => {
    if (source.kind === "cidr") return [];
    const sender = source.kind === "service" ? source.service : undefined;
    return instances.map(
      (node) =>
        [
          source.node.name,
          {
            service: sender?.name ?? "",
            user: sender?.user ?? "",
            to: service.name,
            destination: node.address,
            port,
            action,
            mode,
            origin,
          },
        ] as const,
    );
  });
}

/** What services may open outside the mesh. */
function outsideOf(
  policies: readonly ResolvedPolicy[],
  nodes: ReadonlyMap<string, MeshNode>,
): Placed<EgressRule>[] {
  return policies.flatMap(({ policy, services, mode, origin }) => {
    const ranges: readonly (PortRange | undefined)[] = policy.ports?.filter(
      (port) => typeof port !== "string",
    ) ?? [undefined];
    const targets = [...new Set(policy.to.flatMap((to) => (to.kind === "cidr" ? [to.cidr] : [])))];
    return services.flatMap((service) =>
      service.nodes
        .filter((name) => nodes.has(name))
        .flatMap((name) =>
          targets.flatMap((cidr) =>
            ranges.map(
              (port) =>
                [
                  name,
                  {
                    service: service.name,
                    user: service.user,
                    to: cidr,
                    destination: cidr,
                    port,
                    action: policy.action,
                    mode,
                    origin,
                  },
                ] as const,
            ),
          ),
        ),
    );
  });
}

function forwardOf({ service, instances, grants }: ServicePlan, node: MeshNode): IngressRule[] {
  if (instances.every(({ name }) => name === node.name)) return [];
  return grants.filter(({ source }) => source.kind === "cidr").map((grant) => ingressRule(service, grant));
}

type CoveredAddresses = (ranges: readonly string[]) => readonly string[];

/** Node addresses inside any of some ranges, sorted. Most nodes ask for the same few ranges. */
function coveredAddresses(nodes: readonly MeshNode[]): CoveredAddresses {
  const addresses = nodes.flatMap(({ address }) => {
    const cidr = parseCidr(address);
    return cidr === undefined ? [] : [{ address, cidr }];
  });
  addresses.sort((a, b) => byText(a.address, b.address));
  const known = new Map<string, readonly string[]>();
  return (ranges) => {
    const wanted = [...new Set(ranges)].sort(byText);
    const key = wanted.join(" ");
    const blocks = wanted.flatMap((text) => parseCidr(text) ?? []);
    const found =
      known.get(key) ??
      addresses
        .filter(({ cidr }) => blocks.some((block) => cidrContains(block, cidr)))
        .map(({ address }) => address);
    known.set(key, found);
    return found;
  };
}

function guardOf(
  mesh: Mesh,
  node: MeshNode,
  coordinator: CoordinatorPlace,
  covering: readonly string[],
  covered: CoveredAddresses,
): Guard {
  const tcp = (port: number): PortRange => ({ protocol: "tcp", from: port, to: port });
  const isCoordinator = node.name === coordinator.node;
  return {
    admin: [...new Set(mesh.guard.admin)].sort(byText),
    ports: inOrder(mesh.guard.ports),
    coordinatorAddress: coordinator.address,
    coordinatorPorts: [
      tcp(coordinator.agentPort),
      tcp(coordinator.enrolmentPort),
      tcp(coordinator.spirePort),
    ],
    isCoordinator,
    nodeAddresses: isCoordinator ? covered(["0.0.0.0/0", "::/0"]) : covered(covering),
    upstreams: [...new Set(mesh.dns.upstreams)].sort(byText),
    // no word of the mesh file: compile/bans.ts
    banned: [],
  };
}
