// In: a mesh. Out: problems with what nodes with Cilium share: their etcd, and what its ranges cover beside endpoints. Pure.
import { cidrsOverlap, covers, parseCidr } from "@weft/shared/model/address";
import { widestRangeBits } from "@weft/shared/model/endpoint-limits";
import type { Mesh, MeshCilium, Problem } from "@weft/shared/model/mesh";
import { unusableBecause } from "@weft/shared/model/unusable-address";
import { errorAt, warningAt } from "../problem.ts";
import { ciliumNodes } from "../selection.ts";
import { listSome } from "./policies.ts";
import type { Rule } from "./rule.ts";
import { placeAt } from "./surroundings.ts";

const about =
  (check: (mesh: Mesh, cilium: MeshCilium) => Problem[]): Rule =>
  (mesh) =>
    mesh.cilium === undefined ? [] : check(mesh, mesh.cilium);

interface Member {
  readonly text: string;
  readonly isOpen: boolean;
  readonly host: string;
  readonly port: number;
  readonly index: number;
}

/** The operator's. */
function membersOf({ etcd }: MeshCilium): Member[] {
  if ("nodes" in etcd) return [];
  return etcd.members.map((text, index) => {
    const [, host = "", port = ""] = /^https?:\/\/(.*):(\d+)$/.exec(text) ?? [];
    return { text, isOpen: text.startsWith("http:"), host, port: Number(port), index };
  });
}

/** Whoever writes there says which labels an address has, and so who it is. */
export const etcdIsProtected: Rule = about((mesh, cilium) => {
  if ("nodes" in cilium.etcd) return [];
  const { ca, certificate, key } = cilium.etcd;
  const members = membersOf(cilium);
  const open = members.filter(({ isOpen }) => isOpen);
  const placeOf = (field: string) => placeAt(mesh, `cilium/etcd/${field}`, "cilium");
  const problems: Problem[] = open.map(({ text, index }) =>
    warningAt(
      placeOf(`members/${index}`),
      `${text} is not encrypted and asks nobody who he is: anybody who reaches it can give himself any identity of the mesh`,
      { allowed: "https, with certificate and key" },
    ),
  );
  if ((certificate === undefined) !== (key === undefined)) {
    const [there, missing] = certificate === undefined ? ["key", "certificate"] : ["certificate", "key"];
    problems.push(
      errorAt(placeOf(there), `"${there}" is given and "${missing}" is not`, { allowed: "both, or neither" }),
    );
  }
  const useless = [ca === undefined ? "" : "ca", certificate === undefined ? "" : "certificate"];
  if (open.length === members.length)
    for (const field of useless.filter((each) => each !== ""))
      problems.push(
        errorAt(placeOf(field), `"${field}" protects nothing: no member of etcd is asked over https`, {
          allowed: "https members, or none of ca, certificate and key",
        }),
      );
  return problems;
});

/** An agent gives no endpoint its address before it has reached etcd. */
export const etcdIsNoEndpoint: Rule = about((mesh, cilium) => {
  const nodes = ciliumNodes(mesh);
  return membersOf(cilium).flatMap(({ text, host, port, index }) => {
    const node = mesh.nodes.find(({ address, name }) => address === host && nodes.has(name));
    const service = mesh.services.find(
      (each) =>
        node !== undefined &&
        each.nodes.includes(node.name) &&
        each.ports.some(({ range }) => range.protocol === "tcp" && range.from <= port && port <= range.to),
    );
    if (node === undefined || service === undefined) return [];
    return [
      errorAt(
        placeAt(mesh, `cilium/etcd/members/${index}`, "cilium"),
        `${text} is service "${service.name}" of node "${node.name}", which would need this etcd to get its own endpoint`,
        { allowed: "an etcd on a node without Cilium, or one that is no service of the mesh" },
      ),
    ];
  });
});

export const rangesHoldEndpointsAlone: Rule = about((mesh, cilium) => {
  const { ranges } = cilium;
  const place = placeAt(mesh, "cilium/ranges", "cilium");
  const allowed = "a private range that nothing else is in";
  const why = unusableBecause(ranges);
  if (why !== undefined) return [errorAt(place, `the ranges ${ranges} hold ${why}`, { allowed })];
  if ((parseCidr(ranges)?.bits ?? 0) < widestRangeBits)
    return [errorAt(place, `the ranges ${ranges} are too wide`, { allowed: `/${widestRangeBits}, or less` })];
  const nodes = mesh.nodes.filter(({ address }) => covers(ranges, address)).map(({ name }) => name);
  const members = membersOf(cilium).filter(({ host }) => covers(ranges, host));
  const others: readonly (readonly [string, readonly string[]])[] = [
    ["addresses of nodes", nodes],
    ["DNS upstreams", mesh.dns.upstreams.filter((upstream) => covers(ranges, upstream))],
    ["members of etcd", members.map(({ text }) => text)],
  ];
  return others
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) =>
      errorAt(place, `the ranges ${ranges} of endpoints cover ${what} (${listSome(names)})`, { allowed }),
    );
});

/** A stolen service would be an administrator for the rules of its own machine. */
export const adminsAreNotEndpoints: Rule = about((mesh, { ranges }) =>
  mesh.guard.admin
    .map((range, index) => ({ range, index }))
    .filter(({ range }) => cidrsOverlap(range, ranges))
    .map(({ range, index }) =>
      errorAt(
        placeAt(mesh, `guard/admin/${index}`, "guard"),
        `admin range ${range} overlaps the ranges ${ranges} of endpoints: services would count as administrators`,
        { allowed: "cilium.ranges apart from all admin ranges" },
      ),
    ),
);
