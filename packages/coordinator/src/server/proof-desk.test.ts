import { describe, expect, it } from "@jest/globals";
import type { DialAnswer, DialQuestion } from "@weft/shared/model/dial";
import type { KernelAnswer, NoAnswer } from "@weft/shared/model/observation";
import { ProofDesk } from "./proof-desk.ts";

const plan = { node: "web1", question: { user: "web", destination: "10.77.0.12", port: 8080 } };
const at = new Date("2026-11-22T12:00:00Z");
const receiver = (...addresses: string[]) =>
  ({ listeners: addresses.map((address) => ({ address, uid: 1, user: "api" })) }) as unknown as KernelAnswer;

function deskOf(answer: DialAnswer | NoAnswer) {
  const asked: [string, Omit<DialQuestion, "id">][] = [];
  const desk = new ProofDesk({
    async ask(node, question) {
      asked.push([node, question]);
      return answer;
    },
  });
  return { desk, asked };
}

describe("a proof", () => {
  it("asks the sender's node and says what became of it, and how that stands to the rules", async () => {
    const { desk, asked } = deskOf({ id: 1, at, outcome: "accepted", errno: "" });
    expect(await desk.prove(plan, "allowed", receiver("0.0.0.0"))).toEqual({
      at,
      node: "web1",
      user: "web",
      outcome: "accepted",
      errno: "",
      agreement: "agrees",
      sentence:
        "a connection of user web on web1 to 10.77.0.12:8080 at 2026-11-22T12:00:00.000Z was accepted",
      note: "agrees with the rules",
    });
    expect(asked).toEqual([["web1", plan.question]]);
  });

  it("tells a refusal from nobody listening by what the receiver's node says", async () => {
    const { desk } = deskOf({ id: 1, at, outcome: "refused", errno: "ECONNREFUSED" });
    const agreement = async (...addresses: string[]) =>
      (await desk.prove(plan, "allowed", receiver(...addresses))).agreement;
    expect(await agreement("10.77.0.12")).toBe("disagrees");
    expect(await agreement("127.0.0.1")).toBe("agrees");
    expect(await agreement()).toBe("agrees");
  });

  it("that could not be had says why, and is neither agreement nor disagreement", async () => {
    const { desk } = deskOf({ id: 1, problem: "it has no user web" });
    expect(await desk.prove(plan, "allowed", undefined)).toMatchObject({
      at: undefined,
      node: "web1",
      outcome: "not-tried",
      agreement: "open",
      sentence: "web1 made no connection: it has no user web",
    });
  });

  it("that nobody can give asks nobody", async () => {
    const { desk, asked } = deskOf({ id: 1, problem: "never" });
    expect(await desk.prove("only TCP", "allowed", undefined)).toMatchObject({
      outcome: "not-tried",
      sentence: "only TCP",
    });
    expect(asked).toEqual([]);
  });
});
