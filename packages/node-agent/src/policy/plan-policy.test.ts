import { describe, expect, it } from "@jest/globals";
import { planPolicy } from "./plan-policy.ts";

const wanted = { text: "rules", revision: 2, digest: "d", tracking: "track" };
const confirmed = { text: "rules", revision: 2, digest: "d", fingerprint: "f" };
const kernel = { revision: 2, digest: "d", fingerprint: "f" };

describe("planPolicy", () => {
  it("does nothing when disk and kernel have it", () => {
    expect(planPolicy(wanted, { confirmed, kernel })).toEqual({ steps: [], drift: undefined });
  });

  it("tracks first on a machine without a table", () => {
    const { steps, drift } = planPolicy(wanted, { confirmed: undefined, kernel: undefined });
    expect(steps).toMatchObject([{ kind: "loadPolicy", args: { tracking: "track", revision: 2 } }]);
    expect(drift).toBeUndefined();
  });

  it("loads a new text, without calling the old one drifted", () => {
    const { steps, drift } = planPolicy({ ...wanted, text: "other", revision: 3 }, { confirmed, kernel });
    expect(steps).toMatchObject([{ args: { text: "other", revision: 3, tracking: undefined } }]);
    expect(drift).toBeUndefined();
  });

  it.each([
    ["gone", undefined],
    ["changed", { ...kernel, fingerprint: "other" }],
  ])("puts back a table that is %s, and says so", (what, found) => {
    const { steps, drift } = planPolicy(wanted, { confirmed, kernel: found });
    expect(steps).toHaveLength(1);
    expect(drift).toContain(what);
  });

  it("loads again, without blame, what a crash left without a record", () => {
    const { steps, drift } = planPolicy(wanted, {
      confirmed: { ...confirmed, revision: 0, digest: "", fingerprint: "" },
      kernel: undefined,
    });
    expect(steps).toHaveLength(1);
    expect(drift).toBeUndefined();
  });
});
