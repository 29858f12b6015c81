import { describe, expect, it } from "@jest/globals";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { banGenerations } from "./ban-generations.ts";

const given = (node: string, revision: number) => ({
  ...sealed(emptyContent(node)),
  generation: 4,
  revision,
  confirmTimeoutSeconds: 60,
});
const states = [given("web1", 7), given("api1", 6)];

describe("a ban", () => {
  it("is a new generation of what each node was given, at the revision it was given", () => {
    const banned = banGenerations(states, ["10.0.0.9", "10.0.0.8", "10.0.0.9"]);
    expect(
      banned.map(({ node, revision, generation, confirmTimeoutSeconds, policy }) => ({
        node,
        revision,
        generation,
        confirmTimeoutSeconds,
        banned: policy.guard.banned,
      })),
    ).toEqual([
      { node: "web1", revision: 7, generation: 5, banned: ["10.0.0.8", "10.0.0.9"] },
      { node: "api1", revision: 6, generation: 5, banned: ["10.0.0.8", "10.0.0.9"] },
    ]);
    expect(banGenerations(banned, ["10.0.0.9", "10.0.0.8"])).toEqual([]);
    const lifted = banGenerations(banned, []);
    expect(lifted.map(({ digest, generation }) => [digest, generation])).toEqual(
      states.map(({ digest }) => [digest, 6]),
    );
  });

  it("that is none changes nothing", () => {
    expect(banGenerations(states, [])).toEqual([]);
  });
});
