// In: questions of one kind to nodes. Out: the nodes' answers, one question at a time per node; a node that is away,
// silent or too busy gives a problem instead.
import { describeError } from "@weft/shared/errors/weft-error";
import type { CoordinatorMessage } from "@weft/shared/gen/weft/v1/agent";
import { type DialAnswer, type DialQuestion, dialInAllMs } from "@weft/shared/model/dial";
import type { KernelAnswer, KernelQuestion, NoAnswer } from "@weft/shared/model/observation";
import { encodeDialQuestion } from "@weft/shared/wire/dial-codec";
import { encodeQuestion } from "@weft/shared/wire/question-codec";
import type { SlotName } from "./outbox.ts";
import type { Sessions } from "./sessions.ts";

export interface QuestionKind<Question> {
  readonly slot: SlotName;
  readonly withinMs: number;
  message(question: Question & { readonly id: number }): NonNullable<CoordinatorMessage["message"]>;
}

export const kernelQuestions: QuestionKind<Omit<KernelQuestion, "id">> = {
  slot: "question",
  withinMs: 4_000,
  message: (question) => ({ $case: "question", value: encodeQuestion(question) }),
};
export const dialQuestions: QuestionKind<Omit<DialQuestion, "id">> = {
  slot: "dial",
  withinMs: dialInAllMs + 2_000,
  message: (question) => ({ $case: "dial", value: encodeDialQuestion(question) }),
};

export type KernelDesk = QuestionDesk<Omit<KernelQuestion, "id">, KernelAnswer>;
export type DialDesk = QuestionDesk<Omit<DialQuestion, "id">, DialAnswer>;

const mostWaiting = 64;

interface Asked<Answer> {
  readonly node: string;
  readonly settle: (answer: Answer | NoAnswer) => void;
}

export class QuestionDesk<Question, Answer extends { readonly id: number }> {
  readonly #sessions: Sessions;
  readonly #kind: QuestionKind<Question>;
  readonly #open = new Map<number, Asked<Answer>>();
  readonly #busy = new Map<string, { last: Promise<unknown>; waiting: number }>();
  #count = 0;

  constructor(sessions: Sessions, kind: QuestionKind<Question>) {
    this.#sessions = sessions;
    this.#kind = kind;
  }

  async ask(node: string, question: Question): Promise<Answer | NoAnswer> {
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

  #put(node: string, question: Question): Promise<Answer | NoAnswer> {
    const { slot, withinMs, message } = this.#kind;
    const session = this.#sessions.of(node);
    this.#count += 1;
    const id = this.#count;
    if (session === undefined) return Promise.resolve({ id, problem: "it is not connected" });
    return new Promise((resolve) => {
      const late = setTimeout(
        () => settle({ id, problem: `it did not answer within ${withinMs / 1000} s` }),
        withinMs,
      );
      const settle = (answer: Answer | NoAnswer) => {
        clearTimeout(late);
        this.#open.delete(id);
        resolve(answer);
      };
      this.#open.set(id, { node, settle });
      session.send(slot, message({ ...question, id }));
    });
  }

  /** From the node that was asked, and only once; whatever else comes is nobody's. */
  answered(node: string, answer: Answer | NoAnswer): void {
    const asked = this.#open.get(answer.id);
    if (asked?.node === node) asked.settle(answer);
  }

  /** What came as an answer is none. */
  unreadable(node: string, id: number, failure: unknown): void {
    this.answered(node, { id, problem: `its answer is not understood: ${describeError(failure)}` });
  }
}
