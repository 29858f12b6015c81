// In: questions about one connection. Out: the answers of the nodes' kernels, one question at a time per node; a node
// that is away, silent or too busy gives a problem instead.
import { describeError } from "@weft/shared/errors/weft-error";
import type { KernelAnswer, KernelQuestion, NoAnswer } from "@weft/shared/model/observation";
import { encodeQuestion } from "@weft/shared/wire/question-codec";
import type { Sessions } from "./sessions.ts";

const answerWithinMs = 4_000;
const mostWaiting = 64;

interface Asked {
  readonly node: string;
  readonly settle: (answer: KernelAnswer | NoAnswer) => void;
}

export class QuestionDesk {
  readonly #sessions: Sessions;
  readonly #open = new Map<number, Asked>();
  readonly #busy = new Map<string, { last: Promise<unknown>; waiting: number }>();
  #count = 0;

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  async ask(node: string, question: Omit<KernelQuestion, "id">): Promise<KernelAnswer | NoAnswer> {
    const line = this.#busy.get(node) ?? { last: Promise.resolve(), waiting: 0 };
    if (line.waiting >= mostWaiting) return { id: 0, problem: "too many questions wait for it" };
    this.#busy.set(node, line);
    line.waiting += 1;
    const turn = line.last.then(() => this.#put(node, question));
    line.last = turn;
    try {
      return await turn;
    } finally {
      line.waiting -= 1;
      if (line.waiting === 0) this.#busy.delete(node);
    }
  }

  #put(node: string, question: Omit<KernelQuestion, "id">): Promise<KernelAnswer | NoAnswer> {
    const session = this.#sessions.of(node);
    this.#count += 1;
    const id = this.#count;
    if (session === undefined) return Promise.resolve({ id, problem: "it is not connected" });
    return new Promise((resolve) => {
      const late = setTimeout(
        () => settle({ id, problem: `it did not answer within ${answerWithinMs / 1000} s` }),
        answerWithinMs,
      );
      const settle = (answer: KernelAnswer | NoAnswer) => {
        clearTimeout(late);
        this.#open.delete(id);
        resolve(answer);
      };
      this.#open.set(id, { node, settle });
      session.send("question", { $case: "question", value: encodeQuestion({ ...question, id }) });
    });
  }

  /** From the node that was asked, and only once; whatever else comes is nobody's. */
  answered(node: string, answer: KernelAnswer | NoAnswer): void {
    const asked = this.#open.get(answer.id);
    if (asked?.node === node) asked.settle(answer);
  }

  /** What came as an answer is none. */
  unreadable(node: string, id: number, failure: unknown): void {
    this.answered(node, { id, problem: `its answer is not understood: ${describeError(failure)}` });
  }
}
