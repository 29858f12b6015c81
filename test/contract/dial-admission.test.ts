// The two halves of a proved connection that never import each other: whatever a coordinator asks a node to dial, a node
// with the content of that same mesh admits; and of what it would not ask for, a node admits nothing undeclared.
import { describe, expect, it } from "@jest/globals";
import { compileMesh } from "../../packages/coordinator/src/compile/compile.ts";
import { dialPlanOf } from "../../packages/coordinator/src/explain/dial-plan.ts";
import { endpointWay } from "../../packages/coordinator/src/explain/endpoint-way.ts";
import { endpointsOf } from "../../packages/coordinator/src/explain/endpoints.ts";
import { loadMesh } from "../../packages/coordinator/src/mesh/validate.ts";
import { dialRefusal } from "../../packages/node-agent/src/dial/admit-dial.ts";
import { lines, load } from "../support/cilium/sample-mesh.ts";
import { nodes } from "../support/policy-net.ts";
import { randomOf, randomPolicies, whyServices } from "../support/random-mesh.ts";

const place = { node: "hub", address: "10.77.0.10", agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
const head = `weft: v1\nmesh: lab\ntrustDomain: mesh.internal\n${nodes}${whyServices}`;

describe("a connection that is asked for", () => {
  it("is one that the asked node admits, and that another node does not make for a user it has not", () => {
    let admitted = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const text = head + randomPolicies(randomOf(seed));
      const { mesh } = loadMesh([{ name: "mesh.yaml", text }], { coordinatorNode: "hub" });
      if (mesh === undefined) throw new Error(`the sample has problems: ${text}`);
      const compiled = compileMesh(mesh, place);
      const ends = [...mesh.services, ...mesh.nodes].flatMap(({ name }) =>
        endpointsOf(mesh, name, () => undefined),
      );
      for (const from of ends)
        for (const to of ends)
          for (const port of [22, 5432, 8080, 9000, 9090]) {
            const plan = dialPlanOf(mesh, from, to, { protocol: "tcp", port }, "");
            if (typeof plan === "string") continue;
            admitted += 1;
            const question = { ...plan.question, id: 1 };
            expect(dialRefusal(compiled.get(plan.node), question)).toBeUndefined();
            for (const [node, content] of compiled) {
              const has = content.identity.workloads.some(({ user }) => user === question.user);
              if (question.user !== "root")
                expect([node, dialRefusal(content, question) === undefined]).toEqual([node, has]);
            }
            expect(dialRefusal(compiled.get(plan.node), { ...question, port: 7 })).toBeDefined();
          }
    }
    expect(admitted).toBeGreaterThan(100);
  });

  it("is, between endpoints of Cilium, one to the address that the caller's names lead to, and admitted as such", () => {
    const { mesh } = load(
      lines.join("\n").replace("services:", "services:\n  job: { nodes: [hub], user: job }"),
    );
    if (mesh === undefined) throw new Error("the sample has problems");
    const compiled = compileMesh(mesh, place);
    const ends = [...mesh.services, ...mesh.nodes].flatMap(({ name }) =>
      endpointsOf(mesh, name, () => undefined),
    );
    const asked: string[] = [];
    const port = { protocol: "tcp", port: 8080 } as const;
    for (const from of ends)
      for (const to of ends) {
        const plan = dialPlanOf(mesh, from, to, port, "", endpointWay(compiled, from, to, port, ""));
        if (typeof plan === "string") continue;
        const { user, destination } = plan.question;
        asked.push(`${user} ${destination}`);
        const content = compiled.get(plan.node);
        expect(dialRefusal(content, { ...plan.question, id: 1 })).toBeUndefined();
        if (destination.startsWith("10.42."))
          expect(content?.dns.records.map(({ value }) => value)).toContain(destination);
      }
    expect(asked).toEqual(
      expect.arrayContaining(["web 10.42.12.243", "web 10.77.0.12", "job 10.77.0.12", "root 10.77.0.12"]),
    );
    expect(asked.filter((each) => /^(root|job) 10\.42\./.test(each))).toEqual([]);
  });
});
