// What must work, as connections that can be judged.
import { describe, expect, it } from "@jest/globals";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { vitalFlows } from "./vital-flows.ts";

const content = emptyContent("web1");
const state = {
  ...sealed({
    ...content,
    policy: {
      ...content.policy,
      guard: {
        ...content.policy.guard,
        admin: ["192.0.2.0/28", "2001:db8::/64"],
        ports: [{ protocol: "tcp" as const, from: 22, to: 22 }],
      },
    },
  }),
  generation: 1,
  revision: 1,
};

describe("vitalFlows", () => {
  it("are the agent's link and each guard flow of this node's family", () => {
    expect(vitalFlows(state).map(({ what }) => what)).toEqual([
      "the agent's own link to the coordinator (10.77.0.10)",
      "administrators (192.0.2.0/28) to guard port 22/tcp",
    ]);
    expect(vitalFlows(state)[0]?.packet).toMatchObject({ hook: "output", port: 7443, uid: 0 });
    expect(vitalFlows(state)[1]?.packet).toMatchObject({ hook: "input", source: "192.0.2.0", port: 22 });
  });

  it("leave out the link on the coordinator's own machine", () => {
    const guard = { ...state.policy.guard, isCoordinator: true };
    expect(vitalFlows({ ...state, policy: { ...state.policy, guard } })).toHaveLength(1);
  });
});
