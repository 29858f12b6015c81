// In: a mesh. Out: problems with its zone, upstreams and guards. Pure.
import type { Mesh, Place } from "@weft/shared/model/mesh";
import { unusableBecause } from "@weft/shared/model/unusable-address";
import { errorAt, type ProblemDetail, warningAt } from "../problem.ts";
import { coveredNodes, listSome } from "./policies.ts";
import type { Rule } from "./rule.ts";

export function placeAt(mesh: Mesh, ...fields: readonly string[]): Place {
  const found = fields.map((field) => mesh.places?.[field]).find((place) => place !== undefined);
  return found ?? { file: "mesh.yaml", line: 1, column: 1 };
}

export const zoneIsPrivate: Rule = (mesh) => {
  const { zone } = mesh.dns;
  const refuse = (message: string, detail: ProblemDetail) => [
    errorAt(placeAt(mesh, "dns/zone", "dns", ""), message, detail),
  ];
  if (zone === "local" || zone.endsWith(".local"))
    return refuse(`zone "${zone}" belongs to multicast DNS: resolvers would not ask Weft for it`, {
      allowed: "a name ending in .internal, or a domain of your own",
    });
  if (!zone.includes("."))
    return refuse(`zone "${zone}" is a whole top-level domain: every name under it would be taken`, {
      allowed: "two or more labels",
      near: `mesh.${zone}`,
    });
  if (/\.(?:arpa|localhost|onion|invalid)$/.test(`.${zone}`))
    return refuse(`zone "${zone}" has a meaning of its own`, {
      allowed: "a name ending in .internal, or a domain of your own",
    });
  return [];
};

/** The trust domain names identities, the zone names machines: alike is fine, nearly alike is a slip. */
export const zoneIsNotMistakenForTheTrustDomain: Rule = (mesh) => {
  const { zone } = mesh.dns;
  const { trustDomain } = mesh;
  if (!zone.endsWith(`.${trustDomain}`) && !trustDomain.endsWith(`.${zone}`)) return [];
  return [
    warningAt(
      placeAt(mesh, "dns/zone", "trustDomain", ""),
      `zone "${zone}" and trust domain "${trustDomain}" lie inside each other: the one names machines, the other identities`,
      { allowed: "the same name for both, or two unrelated ones" },
    ),
  ];
};

export const upstreamsAreServers: Rule = (mesh) =>
  mesh.dns.upstreams.flatMap((upstream, index) => {
    const place = placeAt(mesh, `dns/upstreams/${index}`, "dns", "");
    if (mesh.dns.upstreams.indexOf(upstream) !== index)
      return [warningAt(place, `upstream ${upstream} is given twice`)];
    const why = unusableBecause(upstream);
    return why === undefined
      ? []
      : [errorAt(place, `upstream ${upstream} is ${why}`, { allowed: "a DNS server all nodes can reach" })];
  });

/** A stolen node would be an administrator: an enrolled address counts as one only when it is named by itself. */
export const adminsAreNotNodes: Rule = (mesh) => {
  const named = new Set(mesh.guard.admin);
  return mesh.guard.admin.flatMap((range, index) => {
    const place = placeAt(mesh, `guard/admin/${index}`, "guard", "");
    const nodes = coveredNodes(mesh, range).filter((name) => {
      const address = mesh.nodes.find((node) => node.name === name)?.address;
      return address !== undefined && !named.has(address);
    });
    if (nodes.length === 0) return [];
    return [
      warningAt(
        place,
        `admin range ${range} covers mesh nodes (${listSome(nodes)}), which are left out of it`,
        {
          allowed: "a node's own address, written by itself, to let it in",
        },
      ),
    ];
  });
};

export const guardIsOfUse: Rule = (mesh) =>
  mesh.guard.admin.length === 0 && mesh.guard.ports.length > 0
    ? [warningAt(placeAt(mesh, "guard", ""), "guard.ports does nothing without guard.admin")]
    : [];
