// A small mesh file with two nodes that enforce with Cilium, line by line; and what is said of it when one line is another.
import { describeProblem } from "../../../packages/coordinator/src/mesh/problem.ts";
import { loadMesh } from "../../../packages/coordinator/src/mesh/validate.ts";

const head = "weft: v1\nmesh: shop\ntrustDomain: mesh.internal\n";
export const section =
  "cilium: { etcd: { members: [https://10.77.0.10:2379], ca: /etc/etcd/ca.pem }, ranges: 10.42.0.0/16 }";
export const nodes = [
  "nodes:",
  "  hub: { address: 10.77.0.10 }",
  "  web1: { address: 10.77.0.11, enforcement: cilium, range: 10.42.11.0/24 }",
  "  api1: { address: 10.77.0.12, enforcement: cilium, range: 10.42.12.0/24 }",
];
export const services = [
  "services:",
  "  web: { nodes: [web1], user: web, unit: web.service, ports: { http: 8080/tcp } }",
  "  api: { nodes: [api1], user: api, unit: api.service, ports: { http: 8080/tcp } }",
];
export const policies = [
  "policies:",
  "  - { name: to-api, from: [web], to: api }",
  "  - { name: to-web, from: [node:hub], to: web }",
];
/** From line 4 on: the section, nodes, services, policies. */
export const lines = [section, ...nodes, ...services, ...policies];

export function load(text: string) {
  return loadMesh([{ name: "m", text: `${head}${text}\n` }], { coordinatorNode: "hub" });
}

/** What is said when one line has this instead of that. */
export function problems(find: string, put: string, more = ""): string[] {
  const text = `${lines.join("\n")}\n${more}`;
  if (!text.includes(find)) throw new Error(`the sample has no ${find}`);
  return load(text.replace(find, () => put)).problems.map(describeProblem);
}
