import { describe, expect, it } from "@jest/globals";
import type { DialResult } from "@weft/shared/model/dial";
import type { KernelAnswer } from "@weft/shared/model/observation";
import fc from "fast-check";
import { agreementOf, listensAt } from "./agreement.ts";
import type { WhyVerdict } from "./why-path.ts";

const accepted: DialResult = { outcome: "accepted", errno: "" };
const reset: DialResult = { outcome: "refused", errno: "ECONNREFUSED" };
const silent: DialResult = { outcome: "unanswered", errno: "" };
const shut: DialResult = { outcome: "unreachable", errno: "EHOSTUNREACH" };
const word = (verdict: WhyVerdict, result: DialResult, listens?: boolean) =>
  agreementOf(verdict, result, listens).agreement;

describe("rules and a real connection", () => {
  it("agree when what is allowed is accepted, and what is refused is not", () => {
    expect(word("allowed", accepted, true)).toBe("agrees");
    for (const result of [reset, silent, shut]) expect(word("refused", result, true)).toBe("agrees");
  });

  it("agree when the rules let it through and nobody listens, and that is said", () => {
    const { agreement, note } = agreementOf("allowed", reset, false);
    expect([agreement, note]).toEqual(["agrees", expect.stringContaining("nobody listens")]);
  });

  it("disagree when a listener is not reached, or what is refused goes through, and the causes are named", () => {
    expect(agreementOf("allowed", reset, true)).toMatchObject({
      agreement: "disagrees",
      note: expect.stringContaining("another table or a firewall"),
    });
    expect(word("allowed", silent, true)).toBe("disagrees");
    // a machine without a listener answers with a reset: silence has another cause
    expect(word("allowed", silent, false)).toBe("disagrees");
    expect(word("allowed", shut, false)).toBe("disagrees");
    expect(word("refused", accepted, true)).toBe("disagrees");
    // who listens is not known, so a reset is not explained
    expect(word("allowed", reset, undefined)).toBe("disagrees");
  });

  it("are not compared without a verdict; otherwise there is always a word and a reason", () => {
    const verdicts = fc.constantFrom<WhyVerdict>("allowed", "refused", "unknown");
    const listening = fc.constantFrom(true, false, undefined);
    fc.assert(
      fc.property(
        verdicts,
        fc.constantFrom(accepted, reset, silent, shut),
        listening,
        (verdict, result, listens) => {
          const { agreement, note } = agreementOf(verdict, result, listens);
          expect(agreement === "open").toBe(verdict === "unknown");
          expect(note).not.toBe("");
          // an accepted connection speaks for itself, whoever is said to listen
          if (result === accepted && verdict !== "unknown")
            expect(agreement).toBe(verdict === "allowed" ? "agrees" : "disagrees");
        },
      ),
    );
  });
});

describe("a listener", () => {
  const answer = (...addresses: string[]) =>
    ({
      listeners: addresses.map((address) => ({ address, uid: 1, user: "api" })),
    }) as unknown as KernelAnswer;

  it("is one at that address or at every address", () => {
    for (const address of ["0.0.0.0", "::", "10.77.0.12", "0:0:0:0:0:ffff:a4d:c"])
      expect([address, listensAt(answer("127.0.0.1", address), "10.77.0.12")]).toEqual([address, true]);
    expect(listensAt(answer("fd77:0:0:0:0:0:0:12"), "fd77::12")).toBe(true);
  });

  it("elsewhere is none there", () => {
    expect(listensAt(answer(), "10.77.0.12")).toBe(false);
    expect(listensAt(answer("127.0.0.1", "10.77.0.13"), "10.77.0.12")).toBe(false);
  });

  it("is not known when its node does not say", () => {
    expect(listensAt(undefined, "10.77.0.12")).toBeUndefined();
    expect(listensAt({ id: 1, problem: "away" }, "10.77.0.12")).toBeUndefined();
  });
});
