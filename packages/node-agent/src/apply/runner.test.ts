import { describe, expect, it } from "@jest/globals";
import type { Step, StepKind } from "@weft/shared/model/step";
import fc from "fast-check";
import { FakeClock } from "../../../../test/support/fake-host.ts";
import type { Executor, ExecutorTable } from "./executor.ts";
import { runSteps, superseded } from "./runner.ts";

const never = new AbortController().signal;
const write = (path: string): Step => ({ kind: "writeFile", args: { path, mode: 0o644, text: "" } });

/** A world of named things that are there or not; what a path's name says goes wrong with it. */
function makeWorld() {
  const world: string[] = [];
  const undone: string[] = [];
  const writeFile: Executor<"writeFile"> = {
    async apply({ path }, signal) {
      signal.throwIfAborted();
      if (path.includes("refuses")) throw new Error("it refuses");
      world.push(path);
      return async () => {
        if (path.includes("stays")) throw new Error("it stays");
        undone.push(path);
        world.splice(world.indexOf(path), 1);
      };
    },
    async verify({ path }) {
      if (path.includes("lies")) throw new Error("it is not in force");
    },
  };
  const unused = { apply: () => Promise.reject(new Error("unused")), verify: async () => {} };
  const kinds: readonly StepKind[] = [
    "fetchComponent",
    "removeFile",
    "enableUnit",
    "disableUnit",
    "loadPolicy",
    "attestSpireAgent",
    "takeResolver",
    "giveResolver",
  ];
  const table = {
    ...Object.fromEntries(kinds.map((kind) => [kind, unused])),
    writeFile,
  } as unknown as ExecutorTable;
  const run = (paths: readonly string[], signal = never) =>
    runSteps(paths.map(write), table, new FakeClock(), signal);
  return { world, undone, run };
}

describe("runSteps", () => {
  it("does the steps in order and reports each", async () => {
    const { world, run } = makeWorld();
    const result = await run(["a", "b"]);
    expect(world).toEqual(["a", "b"]);
    expect(result).toMatchObject({ end: "done", steps: [{ result: "done" }, { result: "done" }] });
  });

  it("undoes in reverse order when a step refuses, and does not touch those after it", async () => {
    const { world, undone, run } = makeWorld();
    const result = await run(["a", "b", "refuses", "d"]);
    expect(world).toEqual([]);
    expect(undone).toEqual(["b", "a"]);
    expect(result.end).toBe("reverted");
    expect(result.steps.map((step) => step.result)).toEqual(["reverted", "reverted", "failed", "skipped"]);
  });

  it("undoes a step that did its work and is not in force", async () => {
    const { world, run } = makeWorld();
    const result = await run(["a", "lies"]);
    expect(world).toEqual([]);
    expect(result.steps.at(-1)).toMatchObject({ result: "failed", detail: "it is not in force" });
  });

  it("goes on undoing when one undo fails, and says which", async () => {
    const { world, run } = makeWorld();
    const result = await run(["a", "stays", "refuses"]);
    expect(world).toEqual(["stays"]);
    expect(result.steps.map((step) => step.detail)).toEqual([
      "",
      "could not be undone: it stays",
      "it refuses",
    ]);
  });

  it("undoes everything when it is stopped", async () => {
    const { world, run } = makeWorld();
    const stop = new AbortController();
    stop.abort(new DOMException("stop", "AbortError"));
    expect(await run(["a"], stop.signal)).toMatchObject({ end: "reverted", steps: [{ detail: "stopped" }] });
    expect(world).toEqual([]);
  });

  it("leaves what is done to the state that supersedes it", async () => {
    const { world, run } = makeWorld();
    const stop = new AbortController();
    const pending = run(["a", "b"], stop.signal);
    stop.abort(superseded);
    const result = await pending;
    expect(result).toMatchObject({ end: "superseded" });
    expect(world.length).toBe(result.steps.filter((step) => step.result === "done").length);
  });

  it("law: everything is done, or nothing is", async () => {
    const name = fc.constantFrom("a", "b", "c", "refuses", "lies");
    await fc.assert(
      fc.asyncProperty(fc.array(name, { maxLength: 8 }), async (paths) => {
        const { world, run } = makeWorld();
        const { end } = await run(paths);
        expect(world).toEqual(end === "done" ? paths : []);
      }),
    );
  });
});
