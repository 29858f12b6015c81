// In: a dial question of the coordinator. Out: what became of the connection, or a sentence that says why there was none.
// INVARIANTS: nothing is dialled but what the node's own state declares, as nobody but a service's user or root; one at
// a time, and so many a minute; what is run is the same program always, with an address and a port.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { DesiredContent } from "@weft/shared/model/desired";
import { type DialAnswer, type DialQuestion, type DialResult, dialInAllMs } from "@weft/shared/model/dial";
import type { NoAnswer } from "@weft/shared/model/observation";
import { namespacePath } from "@weft/shared/render/cilium-places";
import type { Clock, Exec } from "../host/host.ts";
import { UserExec } from "../host/user-exec.ts";
import { dialRefusal, endpointServiceOf, nodeUser } from "./admit-dial.ts";
import { DialRate } from "./dial-rate.ts";
import { readDialWord } from "./dial-word.ts";

/** This release's own, by absolute paths. */
export interface DialProgram {
  readonly runtime: string;
  readonly script: string;
}

export interface DiallerParts {
  readonly exec: Pick<Exec, "run">;
  readonly clock: Pick<Clock, "now">;
  readonly program: DialProgram;
  /** What the node was given and its floor lets be. */
  readonly content: () => Promise<DesiredContent | undefined>;
  /** As root, from this process. */
  readonly dial: (address: string, port: number) => Promise<DialResult>;
}

const mostAMinute = 20;
const lookupMs = 2_000;

export class Dialler {
  readonly #parts: DiallerParts;
  readonly #rate = new DialRate(mostAMinute);
  #busy = false;

  constructor(parts: DiallerParts) {
    this.#parts = parts;
  }

  async answer(question: DialQuestion): Promise<DialAnswer | NoAnswer> {
    const { id } = question;
    if (this.#busy) return { id, problem: "it is making another connection" };
    this.#busy = true;
    try {
      return await this.#answer(question);
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      return { id, problem: `${failure.message}${failure.why === undefined ? "" : `: ${failure.why}`}` };
    } finally {
      this.#busy = false;
    }
  }

  async #answer(question: DialQuestion): Promise<DialAnswer | NoAnswer> {
    const { content, clock, dial } = this.#parts;
    const { id, user, destination, port } = question;
    const given = await content();
    const refusal = dialRefusal(given, question);
    if (refusal !== undefined) return { id, problem: refusal };
    if (!this.#rate.admits(clock.now()))
      return { id, problem: `it was asked for more than ${mostAMinute} connections within a minute` };
    if (user !== nodeUser && !(await this.#hasUser(user))) return { id, problem: `it has no user ${user}` };
    const at = clock.now();
    const result =
      user === nodeUser
        ? await dial(destination, port)
        : await this.#dialAs(question, endpointServiceOf(given, user));
    return result === undefined
      ? { id, problem: "what tried it gave no answer that can be read" }
      : { id, at, ...result };
  }

  async #hasUser(user: string): Promise<boolean> {
    const options = { allow: [0, 2], timeoutMs: lookupMs };
    return (await this.#parts.exec.run("getent", ["passwd", "--", user], options)).code === 0;
  }

  /** @param service whose namespace the user is in; undefined: none */
  async #dialAs(
    { user, destination, port }: DialQuestion,
    service: string | undefined,
  ): Promise<DialResult | undefined> {
    const { exec, program } = this.#parts;
    const namespace = service === undefined ? undefined : namespacePath(service);
    const { stdout } = await new UserExec(exec, user, namespace).run(
      program.runtime,
      [program.script, destination, String(port)],
      { timeoutMs: dialInAllMs - lookupMs },
    );
    return readDialWord(stdout);
  }
}
