// In: a mesh. Out: problems with users and ports of services. Pure.
import type { PortRange } from "@weft/shared/model/desired";
import type { MeshService } from "@weft/shared/model/mesh";
import { etcdUser } from "@weft/shared/render/etcd-places";
import { errorAt, fieldPlace, warningAt } from "../problem.ts";
import { formatRange, intersect } from "../selection.ts";
import type { Rule } from "./rule.ts";

const sharedUsers: Readonly<Record<string, string>> = {
  root: "root can become any user, so it stands for none",
  nobody: "nobody is shared by many programs",
  [etcdUser]: "an etcd that Weft runs has that user",
};

export const usersAreUnprivileged: Rule = (mesh) =>
  mesh.services.flatMap((service) => {
    const why = sharedUsers[service.user];
    return why === undefined
      ? []
      : [
          errorAt(
            fieldPlace(service, "user"),
            `service "${service.name}" cannot run as ${service.user}: ${why}`,
            {
              allowed: "a static user of the service's own",
            },
          ),
        ];
  });

/** Calls `visit` for every pair of services that share a node, once for each such node. */
function onSharedNodes<T>(
  services: readonly MeshService[],
  visit: (earlier: MeshService, later: MeshService, node: string) => readonly T[],
): T[] {
  const byNode = new Map<string, MeshService[]>();
  const found: T[] = [];
  for (const service of services)
    for (const node of new Set(service.nodes)) {
      const others = byNode.get(node) ?? [];
      for (const other of others) found.push(...visit(other, service, node));
      byNode.set(node, [...others, service]);
    }
  return found;
}

export const usersStandForOneService: Rule = (mesh) =>
  onSharedNodes(mesh.services, (earlier, later, node) =>
    earlier.user !== later.user
      ? []
      : [
          errorAt(
            fieldPlace(later, "user"),
            `services "${earlier.name}" and "${later.name}" share user "${later.user}" on node "${node}"`,
            { allowed: "one user per service on a node: the kernel tells services apart by their user" },
          ),
        ],
  );

export const portsAreNotShared: Rule = (mesh) => [
  ...mesh.services.flatMap((service) =>
    service.ports.flatMap((port, index) =>
      service.ports
        .slice(0, index)
        .filter((other) => intersect(other.range, port.range) !== undefined)
        .map((other) =>
          errorAt(
            fieldPlace(service, `ports/${port.name}`),
            `ports "${other.name}" and "${port.name}" of service "${service.name}" overlap`,
          ),
        ),
    ),
  ),
  ...onSharedNodes(mesh.services, (earlier, later, node) =>
    later.ports.flatMap((port) => {
      const other = earlier.ports.find(({ range }) => intersect(range, port.range) !== undefined);
      if (other === undefined) return [];
      return [
        errorAt(
          fieldPlace(later, `ports/${port.name}`),
          `services "${earlier.name}" and "${later.name}" share port ${formatRange(port.range)} on node "${node}"`,
        ),
      ];
    }),
  ),
];

const ephemeral = { from: 32768, to: 60999 };

export const portsAreNotEphemeral: Rule = (mesh) =>
  mesh.services.flatMap((service) =>
    service.ports
      .filter(({ range }) => intersect(range, { ...ephemeral, protocol: range.protocol }) !== undefined)
      .map(({ name, range }) =>
        errorAt(
          fieldPlace(service, `ports/${name}`),
          `port ${formatRange(range)} lies where the kernel takes ports for outgoing connections: ` +
            "answers to those would be judged as calls to the service",
          { allowed: `ports below ${ephemeral.from} or above ${ephemeral.to}` },
        ),
      ),
  );

function reservedPorts(dnsOff: boolean, isCoordinator: boolean): readonly (readonly [PortRange, string])[] {
  const tcp = (port: number): PortRange => ({ protocol: "tcp", from: port, to: port });
  const dns: readonly (readonly [PortRange, string])[] = dnsOff
    ? []
    : [
        [{ protocol: "udp", from: 53, to: 53 }, "the node's resolver (weft-dns)"],
        [tcp(53), "the node's resolver (weft-dns)"],
      ];
  if (!isCoordinator) return dns;
  return [
    ...dns,
    [tcp(7443), "the coordinator (agents)"],
    [tcp(7444), "the coordinator (enrolment)"],
    [tcp(7480), "the coordinator (metrics)"],
    [tcp(8081), "the SPIRE server"],
  ];
}

export const portsAreNotWeftsOwn: Rule = (mesh, context) => {
  const nodes = new Map(mesh.nodes.map((node) => [node.name, node]));
  return mesh.services.flatMap((service) =>
    service.ports.flatMap(({ name, range }) => {
      for (const node of service.nodes) {
        const mode = nodes.get(node)?.dnsMode ?? mesh.dns.mode;
        const taken = reservedPorts(mode === "off", node === context.coordinatorNode).find(
          ([reserved]) => intersect(reserved, range) !== undefined,
        );
        if (taken !== undefined)
          return [
            errorAt(
              fieldPlace(service, `ports/${name}`),
              `port ${formatRange(range)} on node "${node}" is needed by ${taken[1]}`,
            ),
          ];
      }
      return [];
    }),
  );
};

export const guardPortsAreNotServicePorts: Rule = (mesh) =>
  mesh.services.flatMap((service) =>
    service.ports
      .filter(({ range }) => mesh.guard.ports.some((guard) => intersect(guard, range) !== undefined))
      .map(({ name, range }) =>
        warningAt(
          fieldPlace(service, `ports/${name}`),
          `port ${formatRange(range)} is also a guard port: the admin ranges reach it whatever the policies say`,
        ),
      ),
  );

/** A service with ports that no policy opens is unreachable: right for a start, but worth saying. */
export const servicesAreReachable: Rule = (mesh) => {
  const opened = new Set<string>();
  for (const policy of mesh.policies)
    if (policy.action === "allow" && policy.ports?.length !== 0)
      for (const selector of policy.to)
        for (const service of mesh.services)
          if (
            (selector.kind === "service" && selector.name === service.name) ||
            (selector.kind === "labels" &&
              Object.entries(selector.labels).every(([key, value]) => service.labels[key] === value))
          )
            opened.add(service.name);
  return mesh.services
    .filter((service) => service.ports.length > 0 && !opened.has(service.name))
    .map((service) =>
      warningAt(
        service.place,
        `no policy lets anybody reach service "${service.name}": its ports are closed to all`,
      ),
    );
};
