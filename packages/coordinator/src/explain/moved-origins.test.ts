import { describe, expect, it } from "@jest/globals";
import { contentDigest } from "@weft/shared/plan/content-digest";
import { compileMesh } from "../compile/compile.ts";
import { loadMesh } from "../mesh/validate.ts";
import { movedOrigins } from "./moved-origins.ts";

const place = { node: "hub", address: "10.77.0.10", agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };

function compiled(comment: string) {
  const text = `weft: v1
mesh: shop
trustDomain: mesh.internal
nodes: { hub: { address: 10.77.0.10 }, web1: { address: 10.77.0.11 } }
guard: { admin: [192.0.2.0/28] }
services: { web: { nodes: [web1], user: web, ports: { http: 8080/tcp } } }
${comment}policies:
  - { name: hub-to-web, from: [node:hub], to: web }
  - { name: ping, from: [{ cidr: 192.0.2.0/24 }], to: web, ports: [icmp] }
baseline: { inbound: deny }
`;
  const { mesh } = loadMesh([{ name: "mesh.yaml", text }], { coordinatorNode: "hub" });
  const content = compileMesh(mesh!, place).get("web1");
  if (content === undefined) throw new Error("no content");
  return content;
}

describe("a line put in above the policies", () => {
  const before = compiled("");
  const after = compiled("# one\n# two\n");

  it("is no change for any node", () => {
    expect(contentDigest(after)).toBe(contentDigest(before));
    expect(after).not.toEqual(before);
  });

  it("moves what kernels name", () => {
    const now = movedOrigins(before.policy, after.policy);
    const at = (policy: string, line: number) => ({ policy, file: "mesh.yaml", line });
    expect(now(at("hub-to-web", 8))).toEqual(at("hub-to-web", 10));
    expect(now(at("ping", 9))).toEqual(at("ping", 11));
    expect(now(at("baseline", 10))).toEqual(at("baseline", 12));
    // of another revision: left as it is
    expect(now(at("gone", 7))).toEqual(at("gone", 7));
  });
});
