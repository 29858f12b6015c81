import { describe, expect, it } from "@jest/globals";
import { compileMesh } from "../compile/compile.ts";
import { loadMesh } from "../mesh/validate.ts";
import { planChanges } from "./changes.ts";

const before = `weft: v1
mesh: shop
trustDomain: mesh.internal
nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11 }
  api1: { address: 10.77.0.12 }
services:
  web: { nodes: [web1], user: web }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp } }
policies:
  - { name: web-to-api, from: [web], to: api }
`;

function compile(text: string) {
  const { mesh } = loadMesh([{ name: "mesh.yaml", text }], { coordinatorNode: "hub" });
  const ports = { agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
  return compileMesh(mesh!, { node: "hub", address: "10.77.0.10", ...ports });
}

function wordsOf(after: string, from = before): Record<string, readonly string[]> {
  return Object.fromEntries(
    planChanges(compile(from), compile(after)).map(({ node, words }) => [node, words]),
  );
}

describe("the plan of a change", () => {
  it("is empty when nothing changes", () => {
    expect(planChanges(compile(before), compile(before))).toEqual([]);
    expect(wordsOf(`${before}# at the end\n`)).toEqual({});
  });

  it("says who may do what, on both ends, with the policy and its line", () => {
    expect(
      wordsOf(before.replace("policies:", "policies:\n  - { name: hub-too, from: [node:hub], to: api }")),
    ).toMatchObject({
      hub: ["hub: any process of hub may open api:8080/tcp on api1 (policy hub-too, mesh.yaml:12)"],
      api1: ["api1: api:8080/tcp accepts node hub (10.77.0.10) (policy hub-too, mesh.yaml:12)"],
    });
    expect(wordsOf(before.slice(0, before.indexOf("policies:")))).toEqual({
      api1: [
        "api1: api:8080/tcp no longer accepts web on web1 (10.77.0.11) (policy web-to-api, mesh.yaml:12)",
      ],
      web1: ["web1: web may no longer open api:8080/tcp on api1 (policy web-to-api, mesh.yaml:12)"],
    });
  });

  it("is empty when only lines move: no node is concerned", () => {
    expect(wordsOf(before.replace("mesh: shop", "mesh: shop\n"))).toEqual({});
  });

  it("says who comes and who goes", () => {
    const grown = before.replace("services:", "  n4: { address: 10.77.0.14 }\nservices:");
    expect(wordsOf(grown)["n4"]).toEqual([
      "n4: joins the mesh at 10.77.0.14; enrol it with: weft node add n4",
    ]);
    expect(wordsOf(before, grown)["n4"]).toEqual([
      "n4: leaves the mesh: its identities end, its name goes, and nobody lets it in any more",
    ]);
    expect(wordsOf(grown)["hub"]).toEqual([
      "hub: the name n4.node.mesh.internal has A 10.77.0.14",
      "hub: node 10.77.0.14 reaches the coordinator's ports",
    ]);
  });

  it("says audit, egress, identities and resolvers", () => {
    const changed = before
      .replace(
        "to: api }",
        "to: api, mode: audit }\n  - { name: out, from: [web], to: { cidr: 198.51.100.0/24 }, ports: [443/tcp] }",
      )
      .replace("user: web }", "user: web, unit: web.service }");
    const words = wordsOf(
      `${changed}defaults: { egress: deny, boot: open }\ndns: { mode: file, upstreams: [192.0.2.53] }\n`,
    );
    expect(words["web1"]).toEqual(
      expect.arrayContaining([
        "web1: processes of user web in web.service get the identity spiffe://mesh.internal/web (service web)",
        "web1: processes of user web no longer get spiffe://mesh.internal/web",
        "web1: web may open 198.51.100.0/24 on 443/tcp (policy out, mesh.yaml:13)",
        "web1: services may open nothing outside the mesh unless a policy says so",
        "web1: names outside mesh.internal are asked of 192.0.2.53",
        "web1: the host's resolver is taken over in mode file",
        "web1: without trusted rules at boot, everything is open",
      ]),
    );
    expect(words["api1"]).toEqual(
      expect.arrayContaining([
        "api1: api:8080/tcp (http) is judged by policy, in audit: counted, not refused",
      ]),
    );
  });

  it("shows what the node would render, as a diff", () => {
    const [api1] = planChanges(compile(before), compile(before.replace("8080", "8090")));
    expect(api1?.node).toBe("api1");
    expect(api1?.diff).toContain("--- a/api1\n+++ b/api1\n@@ ");
    expect(api1?.diff).toContain('\n-  8080 comment "api:http"\n+  8090 comment "api:http"\n');
    expect(api1?.diff).toContain("-  _http._tcp.api.mesh.internal SRV 0 0 8080 api1.node.mesh.internal\n");
  });
});
