// What `weft why` says of endpoints of Cilium: by their policy maps, and by what they were given where a node says nothing of these.
import { describe, expect, it } from "@jest/globals";
import type { EndpointVerdict, KernelAnswer, NoAnswer } from "@weft/shared/model/observation";
import { spiffeLabel } from "@weft/shared/render/cilium-labels";
import { end, tcp, wayOf } from "../../../../test/support/cilium/sample-ends.ts";
import { endpointSteps, whoListens } from "./endpoint-step.ts";
import { type HookAnswer, pathVerdict } from "./why-path.ts";

const passing = {
  verdict: "accept",
  decidedBy: "unjudged",
  others: [],
  assumed: [],
  listeners: [],
  trace: [],
  strength: "address+uid",
} as unknown as KernelAnswer;
const says = (
  service: string,
  direction: EndpointVerdict["direction"],
  more: Partial<EndpointVerdict> = {},
) => ({
  service,
  direction,
  verdict: "allow" as const,
  identity: 8061,
  entry: "allow identity 8061, 8080/tcp",
  whyUnknown: "",
  listeners: direction === "egress" ? undefined : [],
  ...more,
});
const hook = (
  kind: HookAnswer["kind"],
  node: string,
  said: readonly EndpointVerdict[] | NoAnswer,
): HookAnswer => ({
  kind,
  node,
  answer: "problem" in said ? said : { ...passing, endpoints: said },
  wanted: undefined,
});

function stepsOf(from: string, to: string, hooks: readonly HookAnswer[], port = tcp(8080)) {
  const machines = { fromNode: end(from).identity.node, toNode: end(to).identity.node };
  return endpointSteps(wayOf(from, to, port), machines, port, hooks);
}
const both = [
  hook("sender", "web1", [says("web", "egress")]),
  hook("receiver", "api1", [says("api", "ingress")]),
];

describe("what Cilium does with a connection", () => {
  it("is the policy map's word at each end, with the policy whose rule it is and the label the other goes by", () => {
    const [out, into, ...more] = stepsOf("web", "api", both);
    expect(more).toEqual([]);
    const origin = { kind: "cilium", verdict: "ok", policy: "to-api", file: "m", line: 15, remarks: [] };
    expect(out).toMatchObject({ node: "web1", step: { ...origin, witness: "Cilium at web1" } });
    expect(into).toMatchObject({ node: "api1", step: { ...origin, witness: "Cilium at api1" } });
    expect(into?.step.text).toBe(
      `passes into the endpoint of api by to-api (m:15); web is known by its label ${spiffeLabel("spiffe://mesh.internal/web")}`,
    );
    expect(into?.step.trace).toEqual(["policy map, ingress, identity 8061: allow identity 8061, 8080/tcp"]);
    expect(pathVerdict(both, stepsOf("web", "api", both), [], [])).toMatchObject({ verdict: "allowed" });
  });

  it("refuses a connection that nftables lets pass everywhere", () => {
    const denied = [
      both[0] as HookAnswer,
      hook("receiver", "api1", [says("api", "ingress", { verdict: "deny", entry: "" })]),
    ];
    const steps = stepsOf("web", "api", denied);
    const path = pathVerdict(denied, steps, [], []);
    expect(path.verdict).toBe("refused");
    expect(path.sentence).toMatch(
      /^at Cilium on api1: it is dropped on its way into the endpoint of api by its policy map/,
    );
    // the rules say otherwise, so no policy is named for it
    expect(steps[1]?.step).toMatchObject({ policy: "", line: 0 });
    expect(steps[1]?.step.remarks).toEqual([
      "by the rules that api1 was given it passes by to-api (m:15): its policy map is what holds now",
    ]);
  });

  it("is not known where a node says nothing of it, and what it was given is said as no more than that", () => {
    const silent: (readonly [HookAnswer[], string])[] = [
      [[], "api1 does not say what its policy map has"],
      [[hook("receiver", "api1", [])], "api1 does not say what its policy map has"],
      [
        [hook("receiver", "api1", { id: 1, problem: "it is not connected" })],
        "gives no answer: it is not connected",
      ],
      [
        [
          hook("receiver", "api1", [
            says("api", "ingress", { verdict: "unknown", entry: "", whyUnknown: "no agent" }),
          ]),
        ],
        "(no agent)",
      ],
    ];
    for (const [hooks, why] of silent) {
      const [, into] = stepsOf("web", "api", hooks);
      expect(into?.step).toMatchObject({ verdict: "unknown", witness: "", policy: "" });
      expect(into?.step.text).toContain(why);
      expect(into?.step.text).toContain("and not by its kernel, it passes by to-api (m:15)");
    }
    const path = pathVerdict([hook("receiver", "api1", [])], stepsOf("web", "api", []), [], []);
    expect(path.verdict).toBe("unknown");
  });

  it("knows by its node's address who comes by that, and lets in whom a policy names so", () => {
    const dropped = hook("receiver", "api1", [says("api", "ingress", { verdict: "deny", entry: "" })]);
    const [, into] = stepsOf("web", "node:api1", [dropped]);
    expect(into?.step).toMatchObject({ verdict: "refused", remarks: [] });
    expect(into?.step.text).toContain(
      "by default: no policy allows it; the other end is known by its address 10.77.0.11 alone",
    );
    const named = stepsOf("hub", "web", [hook("receiver", "web1", [says("web", "ingress")])]);
    expect(named).toMatchObject([{ node: "web1", step: { verdict: "ok", policy: "to-web", remarks: [] } }]);
    const oneMachine = stepsOf("node:api1", "api", [dropped]);
    expect(oneMachine).toMatchObject([{ step: { verdict: "refused", remarks: [] } }]);
    expect(oneMachine[0]?.step.text).toContain("the other end is this machine");
  });

  it("is nothing where there is no endpoint, and nobody judges what stays in a namespace", () => {
    expect(stepsOf("job", "hub", [])).toEqual([]);
    expect(stepsOf("api", "api", [])).toMatchObject([
      { step: { verdict: "ok", text: "stays in the namespace of api, where nobody judges" } },
    ]);
    const oneAnswer = [hook("receiver", "api1", [says("api", "egress"), says("log", "ingress")])];
    expect(stepsOf("api", "log", oneAnswer, tcp(514)).map(({ step }) => step.verdict)).toEqual(["ok", "ok"]);
  });
});

describe("who listens", () => {
  const listeners = [{ address: "10.42.12.243", uid: 998, user: "api" }];
  const asked = (more: Partial<EndpointVerdict>) =>
    whoListens(wayOf("job", "api"), [hook("receiver", "api1", [says("api", "ingress", more)])]);

  it("is, at an endpoint, who does in its namespace, and not known where its node does not say", () => {
    expect(asked({ listeners })).toEqual({ listeners });
    expect(asked({ listeners: [] })).toEqual({ listeners: [] });
    expect(asked({ listeners: undefined })).toBeUndefined();
    const plain = hook("receiver", "hub", []);
    expect(whoListens(wayOf("web", "job", tcp(8090)), [plain])).toBe(plain.answer);
  });
});
