// The ends of connections in a small mesh: web and api have endpoints of Cilium on web1 and api1, log has one beside api, and
// job on the hub has none.
import { compileMesh } from "../../../packages/coordinator/src/compile/compile.ts";
import { type EndpointWay, endpointWay } from "../../../packages/coordinator/src/explain/endpoint-way.ts";
import {
  type AskedPort,
  type Endpoint,
  endpointsOf,
} from "../../../packages/coordinator/src/explain/endpoints.ts";
import type { Mesh } from "../../../packages/shared/src/model/mesh.ts";
import { lines, load } from "./sample-mesh.ts";

const place = { node: "hub", address: "10.77.0.10", agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
const more = [
  "job: { nodes: [hub], user: job, ports: { http: 8090/tcp } }",
  "log: { nodes: [api1], user: log, unit: log.service, ports: { log: 514/tcp } }",
];

function meshOf(extra = ""): Mesh {
  const text = lines.join("\n").replace("services:", ["services:", ...more].join("\n  "));
  const { mesh } = load(`${text}\n  - { name: to-log, from: [web, api], to: log }\n${extra}`);
  if (mesh === undefined) throw new Error("the sample has problems");
  return mesh;
}

export const mesh = meshOf();
export const contents = compileMesh(mesh, place);
/** With one more policy. */
export function meshWith(policy: string) {
  const changed = meshOf(policy);
  return { mesh: changed, contents: compileMesh(changed, place) };
}
/** Of endpoints. */
export const own = { web: "10.42.11.127", api: "10.42.12.243" };
export const tcp = (port: number): AskedPort => ({ protocol: "tcp", port });

export function end(words: string): Endpoint {
  const [found] = endpointsOf(mesh, words, () => undefined);
  if (found === undefined) throw new Error("no end");
  return found;
}

export function wayOf(from: string, to: string, port = tcp(8080), via = ""): EndpointWay {
  return endpointWay(contents, end(from), end(to), port, via);
}
