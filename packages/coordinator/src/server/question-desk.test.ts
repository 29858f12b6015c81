import { describe, expect, it } from "@jest/globals";
import type { KernelQuestion } from "@weft/shared/model/observation";
import {
  type DialDesk,
  dialQuestions,
  type KernelDesk,
  kernelQuestions,
  QuestionDesk,
} from "./question-desk.ts";
import type { Sessions } from "./sessions.ts";

const question: Omit<KernelQuestion, "id"> = {
  hook: "input",
  source: "10.77.0.11",
  destination: "10.77.0.12",
  protocol: "tcp",
  port: 8080,
  user: "",
  local: false,
  publishedPort: undefined,
};

function sessionsOf(nodes: Readonly<Record<string, number[]>>): Sessions {
  const of = (node: string) => {
    const asked = nodes[node];
    if (asked === undefined) return undefined;
    const send = (_slot: string, message: { value: { id: bigint } }) => asked.push(Number(message.value.id));
    return { send };
  };
  return { of } as unknown as Sessions;
}
const kernelDesk = (nodes: Readonly<Record<string, number[]>>): KernelDesk =>
  new QuestionDesk(sessionsOf(nodes), kernelQuestions);
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("questions to nodes", () => {
  it("go one at a time, and the answers find whoever asked", async () => {
    const asked: number[] = [];
    const desk = kernelDesk({ api1: asked });
    const first = desk.ask("api1", question);
    const second = desk.ask("api1", question);
    await turn();
    expect(asked).toHaveLength(1);
    desk.answered("api1", { id: asked[0] ?? 0, problem: "one" });
    expect(await first).toMatchObject({ problem: "one" });
    await turn();
    expect(asked).toHaveLength(2);
    desk.answered("api1", { id: asked[1] ?? 0, problem: "two" });
    expect(await second).toMatchObject({ problem: "two" });
  });

  it("are answered by the node that was asked and by no other", async () => {
    const asked: number[] = [];
    const desk = kernelDesk({ api1: asked, web1: [] });
    const waiting = desk.ask("api1", question);
    await turn();
    const id = asked[0] ?? 0;
    desk.answered("web1", { id, problem: "forged" });
    desk.answered("api1", { id: 999, problem: "nobody asked" });
    desk.unreadable("api1", id, new Error("odd"));
    expect(await waiting).toMatchObject({ problem: expect.stringContaining("not understood") });
  });

  it("to a node that is away, or too many, are problems at once", async () => {
    const desk = kernelDesk({ api1: [] });
    expect(await desk.ask("gone", question)).toMatchObject({ problem: "it is not connected" });
    const waiting = Array.from({ length: 64 }, () => desk.ask("api1", question));
    expect(await desk.ask("api1", question)).toMatchObject({ problem: expect.stringContaining("too many") });
    for (let id = 1; id <= 70; id++) {
      desk.answered("api1", { id, problem: "done" });
      await turn();
      await turn();
    }
    await Promise.all(waiting);
  });

  it("of two kinds do not wait for each other, and no answer of one kind is taken for the other", async () => {
    const sent: string[] = [];
    const send = (slot: string, message: { $case: string }) => sent.push(`${slot} ${message.$case}`);
    const sessions = { of: () => ({ send }) } as unknown as Sessions;
    const kernels: KernelDesk = new QuestionDesk(sessions, kernelQuestions);
    const dials: DialDesk = new QuestionDesk(sessions, dialQuestions);
    const judged = kernels.ask("web1", question);
    const dialled = dials.ask("web1", { user: "web", destination: "10.77.0.12", port: 8080 });
    await turn();
    expect(sent).toEqual(["question question", "dial dial"]);
    kernels.answered("web1", { id: 1, problem: "of the kernel" });
    expect(await judged).toMatchObject({ problem: "of the kernel" });
    const at = new Date(0);
    dials.answered("web1", { id: 1, at, outcome: "accepted", errno: "" });
    expect(await dialled).toEqual({ id: 1, at, outcome: "accepted", errno: "" });
  });
});
