import { describe, expect, it } from "@jest/globals";
import type { Mesh } from "@weft/shared/model/mesh";
import { loadMesh } from "../mesh/validate.ts";
import { type DialPlan, dialPlanOf } from "./dial-plan.ts";
import { dialSentence } from "./dial-sentence.ts";
import { type AskedPort, type Endpoint, endpointsOf } from "./endpoints.ts";

const text = `weft: v1
mesh: shop
trustDomain: mesh.internal
nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11 }
  api1: { address: 10.77.0.12 }
services:
  web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp, many: 9000-9010/tcp, stats: 8125/udp } }
policies: []
`;

function meshOf(): Mesh {
  const { mesh } = loadMesh([{ name: "mesh.yaml", text }], { coordinatorNode: "hub" });
  if (mesh === undefined) throw new Error("the sample has problems");
  return mesh;
}
const mesh = meshOf();

/** web1 has a second address. */
function end(words: string): Endpoint {
  const [found] = endpointsOf(mesh, words, (address) => (address === "192.0.2.11" ? "web1" : undefined));
  if (found === undefined) throw new Error("no end");
  return found;
}
const tcp = (port: number): AskedPort => ({ protocol: "tcp", port });
const plan = (from: string, to: string, port = tcp(8080), via = "") =>
  dialPlanOf(mesh, end(from), end(to), port, via);

describe("who is asked for a connection", () => {
  it("is the sender's node: as the service's user, or as root for the node itself", () => {
    const question = { user: "web", destination: "10.77.0.12", port: 8080 };
    expect(plan("web", "api")).toEqual({ node: "web1", question });
    expect(plan("web@web1", "api")).toEqual({ node: "web1", question });
    expect(plan("hub", "api1")).toEqual({ node: "hub", question: { ...question, user: "root" } });
    expect(plan("web", "10.77.0.12", tcp(9010))).toEqual({
      node: "web1",
      question: { ...question, port: 9010 },
    });
  });

  it("is nobody for what the mesh does not know, and the sentence says why", () => {
    const none: [DialPlan | string, string][] = [
      [plan("mallory@web1", "api"), "not user mallory on web1"],
      [plan("10.77.0.66", "api"), "not no identity, 10.77.0.66"],
      [plan("192.0.2.11", "api"), "web1 would connect from 10.77.0.11, and not from 192.0.2.11"],
      [plan("web", "api", tcp(22)), "no service of the mesh declares 22/tcp at 10.77.0.12"],
      [plan("web", "192.0.2.7", tcp(443)), "no service of the mesh declares 443/tcp at 192.0.2.7"],
      [plan("api", "192.0.2.11"), "no service of the mesh declares 8080/tcp at 192.0.2.11"],
      [plan("web", "api", { protocol: "udp", port: 8125 }), "this is udp"],
      [plan("web", "api", { protocol: "icmp", port: 0 }), "this is icmp"],
      [plan("web", "api", tcp(8080), "hub"), "what is behind hub"],
    ];
    for (const [found, words] of none) expect(found).toEqual(expect.stringContaining(words));
  });
});

describe("the sentence of a connection", () => {
  it("says whose, to where, when, and what became of it", () => {
    const asked = plan("web", "api");
    if (typeof asked === "string") throw new Error(asked);
    const at = new Date("2026-11-22T12:00:00.250Z");
    const said = (
      plan: DialPlan,
      outcome: "accepted" | "refused" | "unanswered" | "unreachable",
      errno = "",
    ) => dialSentence(plan, { id: 1, at, outcome, errno });
    const whose = "a connection of user web on web1 to 10.77.0.12:8080 at 2026-11-22T12:00:00.250Z";
    expect(said(asked, "accepted")).toBe(`${whose} was accepted`);
    expect(said(asked, "refused", "ECONNREFUSED")).toBe(`${whose} was refused (ECONNREFUSED)`);
    expect(said(asked, "unanswered")).toBe(`${whose} was unanswered within 2 s`);
    expect(said(asked, "unreachable", "EHOSTUNREACH")).toBe(`${whose} could not be made (EHOSTUNREACH)`);
    const six = { node: "web1", question: { ...asked.question, destination: "fd77::12" } };
    expect(said(six, "accepted")).toContain("to [fd77::12]:8080 at");
  });
});
