// In: a mesh. Out: problems with nodes that enforce with Cilium, and with the ranges of their endpoints. Pure.
import { cidrsOverlap, covers, familyOf, parseCidr } from "@weft/shared/model/address";
import {
  narrowestRangeBits as narrowest,
  widestRangeBits as widest,
} from "@weft/shared/model/endpoint-limits";
import type { Mesh, MeshNode, MeshService } from "@weft/shared/model/mesh";
import { movedUnitForm } from "@weft/shared/model/text-forms";
import { errorAt, fieldPlace } from "../problem.ts";
import { ciliumNodes } from "../selection.ts";
import type { Rule } from "./rule.ts";

const onCilium = (mesh: Mesh): readonly MeshNode[] =>
  mesh.nodes.filter(({ enforcement }) => enforcement === "cilium");

export const ciliumIsSetUp: Rule = (mesh) => {
  // one whose form is wrong is there
  if (mesh.cilium !== undefined || mesh.places?.["cilium"] !== undefined) return [];
  return onCilium(mesh).map((node) =>
    errorAt(
      fieldPlace(node, "enforcement"),
      `node "${node.name}" is to enforce with Cilium, and the mesh has no "cilium"`,
      {
        allowed: "cilium: { etcd: { nodes: [NODE] }, ranges: 10.42.0.0/16 } at the top level",
      },
    ),
  );
};

export const ciliumNodesHaveRanges: Rule = (mesh) =>
  mesh.nodes.flatMap((node) => {
    const { name, enforcement, range } = node;
    if (enforcement !== "cilium")
      return range === undefined
        ? []
        : [
            errorAt(
              fieldPlace(node, "range"),
              `node "${name}" has a range of endpoints and enforces with nftables, which has none`,
              { allowed: "range together with enforcement: cilium" },
            ),
          ];
    if (familyOf(node.address) === 6)
      return [
        errorAt(
          fieldPlace(node, "address"),
          `node "${name}" enforces with Cilium at ${node.address}, and endpoints have IPv4 addresses alone`,
          { allowed: "an IPv4 address, or this node on nftables" },
        ),
      ];
    if (range !== undefined) return [];
    return [
      errorAt(
        fieldPlace(node, "enforcement"),
        `node "${name}" has no range, where the endpoints of its services have their addresses`,
        { allowed: `range: an IPv4 CIDR${mesh.cilium === undefined ? "" : ` inside ${mesh.cilium.ranges}`}` },
      ),
    ];
  });

export const rangesOfNodesFit: Rule = (mesh) => {
  const earlier: MeshNode[] = [];
  return onCilium(mesh).flatMap((node) => {
    const { name, range } = node;
    if (range === undefined) return [];
    const place = fieldPlace(node, "range");
    const bits = parseCidr(range)?.bits ?? 0;
    if (bits < widest || bits > narrowest)
      return [
        errorAt(place, `the range ${range} of node "${name}" is too ${bits < widest ? "wide" : "narrow"}`, {
          allowed: `/${widest} to /${narrowest}`,
        }),
      ];
    const within = mesh.cilium?.ranges;
    if (within !== undefined && !covers(within, range))
      return [
        errorAt(place, `the range ${range} of node "${name}" is not inside cilium.ranges`, {
          allowed: `a part of ${within}`,
        }),
      ];
    const others = earlier.filter((other) => cidrsOverlap(other.range ?? "", range));
    earlier.push(node);
    const services = mesh.services.filter(({ nodes }) => nodes.includes(name)).length;
    const room = 2 ** (32 - bits) - 2;
    return [
      ...others.map((other) =>
        errorAt(place, `the ranges of nodes "${other.name}" and "${name}" overlap`, {
          allowed: "a range of its own for each node",
        }),
      ),
      ...(services <= room
        ? []
        : [
            errorAt(
              place,
              `the range ${range} has ${room} addresses for the ${services} services of node "${name}"`,
              { allowed: "a wider range" },
            ),
          ]),
    ];
  });
};

/** Only a unit can be given a network namespace. */
export const endpointsHaveUnits: Rule = (mesh) => {
  const cilium = ciliumNodes(mesh);
  const first = new Map<string, MeshService>();
  return mesh.services.flatMap((service) => {
    const places = service.nodes.filter((node) => cilium.has(node));
    const [node] = places;
    if (node === undefined) return [];
    const { name, unit } = service;
    if (unit === undefined)
      return [
        errorAt(
          service.place,
          `service "${name}" names no unit, and node "${node}" with Cilium gives each service a network namespace, ` +
            "which only a unit can be moved into",
          { allowed: "unit: NAME.service" },
        ),
      ];
    const place = fieldPlace(service, "unit");
    if (movedUnitForm.parse(unit) === undefined)
      return [
        errorAt(place, `${unit} is no ${movedUnitForm.what} on node "${node}"`, {
          allowed: movedUnitForm.allowed,
        }),
      ];
    return places.flatMap((at) => {
      const other = first.get(`${at} ${unit}`);
      first.set(`${at} ${unit}`, other ?? service);
      if (other === undefined) return [];
      return [
        errorAt(
          place,
          `services "${other.name}" and "${name}" share the unit ${unit} on node "${at}" with Cilium`,
          {
            allowed: "a unit for each service: a unit is in one network namespace",
          },
        ),
      ];
    });
  });
};
