// In: a mesh. Out: problems with what policies name. Pure.
import { covers } from "@weft/shared/model/address";
import type { Mesh, MeshPolicy, MeshService, Problem, Selector } from "@weft/shared/model/mesh";
import { nearestName } from "@weft/shared/model/near";
import { errorAt, fieldPlace, warningAt } from "../problem.ts";
import { formatLabels, formatRange, selectedRanges, selectedServices } from "../selection.ts";
import type { Rule, RuleContext } from "./rule.ts";

export const policiesNameWhatExists: Rule = (mesh, context) =>
  mesh.policies.flatMap((policy) =>
    [...policy.from, ...policy.to].flatMap((selector) => unknownName(mesh, context, selector)),
  );

function unknownName(mesh: Mesh, context: RuleContext, selector: Selector): Problem[] {
  if (selector.kind === "service") {
    const names = new Set([...mesh.services.map(({ name }) => name), ...context.broken.services]);
    if (names.has(selector.name)) return [];
    const isNode = mesh.nodes.some(({ name }) => name === selector.name);
    const near = isNode ? `node:${selector.name}` : nearestName(selector.name, names);
    return [errorAt(selector.place, `there is no service "${selector.name}"`, { near })];
  }
  if (selector.kind === "node") {
    const names = new Set([...mesh.nodes.map(({ name }) => name), ...context.broken.nodes]);
    if (names.has(selector.name)) return [];
    return [
      errorAt(selector.place, `there is no node "${selector.name}"`, {
        near: nearestName(selector.name, names),
      }),
    ];
  }
  if (selector.kind === "labels") {
    if (Object.keys(selector.labels).length === 0)
      return [
        errorAt(selector.place, "an empty label selector would stand for every service", {
          allowed: "at least one label",
        }),
      ];
    if (selectedServices(mesh, selector).length === 0)
      return [warningAt(selector.place, `no service has the labels { ${formatLabels(selector.labels)} }`)];
  }
  return [];
}

const isOutside = (selector: Selector) => selector.kind === "cidr";

const isPingAlone = ({ icmp, ports }: MeshPolicy) => icmp === true && ports?.length === 0;

/** `to` is either services, or places outside the mesh that services may open: the two are judged in different hooks. */
export const policiesGoOneWay: Rule = (mesh) =>
  mesh.policies.flatMap((policy) => {
    const problems = policy.to
      .filter(({ kind }) => kind === "node" && !isPingAlone(policy))
      .map(({ place }) =>
        errorAt(place, "a policy cannot open a whole node", {
          allowed: "a service, { labels }, or { cidr } for egress; a node for ports: [icmp] alone",
        }),
      );
    const outside = policy.to.filter(isOutside);
    if (outside.length === 0) return problems;
    if (policy.icmp === true)
      problems.push(
        errorAt(fieldPlace(policy, "ports"), "ping is judged where it arrives, so not outside the mesh", {
          allowed: "ports, or services and nodes under to",
        }),
      );
    if (outside.length < policy.to.length)
      problems.push(
        errorAt(fieldPlace(policy, "to"), "one policy cannot have both services and CIDRs under to", {
          allowed: "two policies",
        }),
      );
    for (const { kind, place } of policy.from)
      if (kind === "cidr" || kind === "node")
        problems.push(
          errorAt(
            place,
            "only a service can be let out to a CIDR: the kernel judges it by the service's user",
            {
              allowed: "a service name or { labels }",
            },
          ),
        );
    if (policy.mode === "audit" && policy.action === "allow")
      problems.push(
        errorAt(fieldPlace(policy, "mode"), "an egress allowance cannot be in audit by itself", {
          allowed: "mode: audit on the deny policy, or under defaults",
        }),
      );
    return problems;
  });

/** Every port named must be one that the policy can open, else it opens less than it says. */
export const policyPortsExist: Rule = (mesh, context) =>
  mesh.policies.flatMap((policy) => [...portProblems(mesh, context, policy)]);

function* portProblems(mesh: Mesh, context: RuleContext, policy: MeshPolicy): Generator<Problem> {
  const ports = policy.ports ?? [];
  if (policy.to.some(isOutside)) {
    for (const [index, port] of ports.entries())
      if (typeof port === "string")
        yield errorAt(
          fieldPlace(policy, `ports/${index}`),
          `"${port}" is a port name, which has no meaning outside the mesh`,
          {
            allowed: "a port or range such as 443/tcp",
          },
        );
    return;
  }
  // a service that could not be read may well have the port
  if (policy.to.some((selector) => selector.kind === "service" && context.broken.services.has(selector.name)))
    return;
  const services = policy.to.flatMap((selector) => selectedServices(mesh, selector));
  if (services.length === 0) return;
  let told = false;
  for (const [index, port] of ports.entries()) {
    const place = fieldPlace(policy, `ports/${index}`);
    const names = new Set(services.flatMap((service) => service.ports.map(({ name }) => name)));
    const who = services.map(({ name }) => `"${name}"`).join(", ");
    const declared = [...new Set(services.flatMap(describePorts))].join(", ");
    const allowed = declared === "" ? "a service with ports" : declared;
    if (typeof port === "string") {
      if (names.has(port)) continue;
      told = true;
      yield errorAt(place, `${who} has no port "${port}"`, { allowed, near: nearestName(port, names) });
    } else if (!services.some((service) => service.ports.some(({ range }) => holdsPorts(range, port)))) {
      told = true;
      yield errorAt(place, `${who} declares no port that holds all of ${formatRange(port)}`, { allowed });
    }
  }
  if (told || isPingAlone(policy)) return;
  for (const selector of policy.to)
    if (selector.kind === "service")
      for (const service of selectedServices(mesh, selector))
        if (service.ports.flatMap((port) => selectedRanges(policy, port)).length === 0)
          yield errorAt(
            selector.place,
            `policy "${policy.name}" opens no port of service "${service.name}"`,
            {
              allowed: describePorts(service).join(", ") || "a service with ports",
            },
          );
}

function describePorts(service: MeshService): string[] {
  return service.ports.map(({ name, range }) => `${name} (${formatRange(range)})`);
}

function holdsPorts(outer: { protocol: string; from: number; to: number }, inner: typeof outer): boolean {
  return outer.protocol === inner.protocol && outer.from <= inner.from && inner.to <= outer.to;
}

/** Nodes an address range covers, by name. */
export function coveredNodes(mesh: Mesh, range: string): string[] {
  return mesh.nodes.filter(({ address }) => covers(range, address)).map(({ name }) => name);
}

export function listSome(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

/** A CIDR never speaks for a mesh address; somebody who writes one that covers some may think it does. */
export const cidrsGrantNothingInTheMesh: Rule = (mesh) =>
  mesh.policies.flatMap((policy) =>
    policy.action === "deny"
      ? []
      : [...policy.from, ...policy.to].flatMap((selector) => {
          if (selector.kind !== "cidr") return [];
          const nodes = coveredNodes(mesh, selector.cidr);
          if (nodes.length === 0) return [];
          return [
            warningAt(
              selector.place,
              `${selector.cidr} covers mesh nodes (${listSome(nodes)}): a CIDR grants nothing there`,
              { allowed: "services or nodes by name" },
            ),
          ];
        }),
  );
