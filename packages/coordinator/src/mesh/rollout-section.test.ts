import { describe, expect, it } from "@jest/globals";
import { describeProblem } from "./problem.ts";
import { loadMesh } from "./validate.ts";

const load = (rollout: string) =>
  loadMesh(
    [
      {
        name: "mesh.yaml",
        text: `weft: v1
mesh: shop
trustDomain: mesh.internal
nodes: { hub: { address: 10.77.0.10 }, web1: { address: 10.77.0.11 } }
${rollout}
`,
      },
    ],
    { coordinatorNode: "hub" },
  );

describe("rollout:", () => {
  it("is everywhere at once without it, and a canary and quarters by default", () => {
    expect(load("").mesh?.rollout).toBeUndefined();
    expect(load("rollout: {}").mesh?.rollout).toEqual({
      canary: 1,
      wave: { unit: "percent", size: 25 },
      stopOn: ["reverted", "failed"],
      deadlineSeconds: 120,
    });
  });

  it("is read with everything it says", () => {
    const text = "rollout: { canary: [web1], wave: 3, stopOn: [condition], deadline: 5m }";
    expect(load(text).mesh?.rollout).toEqual({
      canary: ["web1"],
      wave: { unit: "nodes", size: 3 },
      stopOn: ["condition"],
      deadlineSeconds: 300,
    });
  });

  it.each([
    ["canary: [wbe1]", '21: error: there is no node "wbe1"; did you mean "web1"?'],
    ["canary: [web1, web1]", '27: error: canary "web1" is named twice'],
    ["canary: 0", '20: error: "canary" is 0; allowed: at least 1'],
    [
      "canary: web1",
      '20: error: "canary" is the text "web1"; allowed: a number of nodes, or a list of node names',
    ],
    ["canary: []", '20: error: "canary" is empty; allowed: at least one'],
    [
      "wave: 0%",
      '18: error: "0%" is no share of the nodes; allowed: a number of nodes, or a percentage such as 25%',
    ],
    ["deadline: 2s", '22: error: "2s" is no length of time; allowed: 10s to 1h, such as 90s or 5m'],
    ["stopOn: []", '20: error: "stopOn" is empty; allowed: at least one'],
  ])("%s", (fault, problem) => {
    expect(load(`rollout: { ${fault} }`).problems.map(describeProblem)).toEqual([`mesh.yaml:5:${problem}`]);
  });
});
