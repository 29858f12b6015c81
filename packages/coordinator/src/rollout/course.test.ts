import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import "../../../../test/support/property-seed.ts";
import type { StopCause } from "@weft/shared/model/mesh";
import { beginWave, type Concerned, type Course, type CourseWord, decide, planWaves } from "./course.ts";

const node = (name: string, change: Partial<Concerned> = {}): Concerned => ({
  name,
  isThere: true,
  isHub: false,
  ...change,
});
const word = (change: Partial<CourseWord> = {}): CourseWord => ({
  standing: "working",
  detail: "",
  isThere: true,
  errors: [],
  ...change,
});
const quarter = { unit: "percent", size: 25 } as const;

describe("the waves", () => {
  const eight = ["a", "b", "c", "d", "e", "f", "g", "hub"].map((name) =>
    node(name, { isHub: name === "hub" }),
  );

  it("begin with canaries and go on in shares of all, the coordinator's machine last", () => {
    expect(planWaves({ canary: 1, wave: quarter }, eight)).toEqual([
      ["a"],
      ["b", "c"],
      ["d", "e"],
      ["f", "g"],
      ["hub"],
    ]);
    expect(planWaves({ canary: 2, wave: { unit: "nodes", size: 5 } }, eight)).toEqual([
      ["a", "b"],
      ["c", "d", "e", "f", "g"],
      ["hub"],
    ]);
  });

  it("take canaries by name, and others in place of those that would prove nothing", () => {
    const nodes = [node("a"), node("b"), node("c", { isThere: false })];
    expect(planWaves({ canary: ["b"], wave: quarter }, nodes)[0]).toEqual(["b"]);
    expect(planWaves({ canary: ["c", "untouched"], wave: quarter }, nodes)[0]).toEqual(["a"]);
    expect(planWaves({ canary: 1, wave: quarter }, [node("a", { isThere: false }), node("b")])[0]).toEqual([
      "b",
    ]);
    expect(planWaves({ canary: 1, wave: quarter }, [])).toEqual([]);
  });

  it("hold every node once", () => {
    const nodes = fc
      .uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { maxLength: 40 })
      .chain((names) =>
        fc.tuple(
          ...names.map((name) =>
            fc.record({ isThere: fc.boolean(), isHub: fc.boolean() }).map((is) => node(name, is)),
          ),
        ),
      );
    const canary = fc.oneof(
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.stringMatching(/^[a-z]$/), { minLength: 1 }),
    );
    const wave = fc.record({
      unit: fc.constantFrom("nodes" as const, "percent" as const),
      size: fc.integer({ min: 1, max: 100 }),
    });
    fc.assert(
      fc.property(nodes, canary, wave, (all, canaries, size) => {
        const names = Array.isArray(canaries) ? [...new Set(canaries)] : canaries;
        const waves = planWaves({ canary: names, wave: size }, all);
        expect(waves.flat().sort()).toEqual(all.map(({ name }) => name).sort());
        expect(waves.every((each) => each.length > 0)).toBe(true);
      }),
    );
  });
});

const course = (change: Partial<Course> = {}): Course =>
  beginWave(
    {
      waves: [["a"], ["b", "c"]],
      begun: 0,
      given: new Map(),
      stopOn: ["reverted", "failed"],
      deadlineSeconds: 100,
      ...change,
    },
    () => word(),
  );
const of = (words: Record<string, Partial<CourseWord>>) => (name: string) => word(words[name]);

describe("a wave under way", () => {
  it("is waited for, then the next begins, then it is over", () => {
    const first = course();
    expect(decide(first, of({}), 0)).toEqual({
      kind: "wait",
      nodes: ["a"],
      absent: [],
    });
    expect(decide(first, of({ a: { standing: "enforced" } }), 0)).toEqual({
      kind: "advance",
    });
    const second = beginWave(first, of({}));
    const enforced = { standing: "enforced" } as const;
    expect(decide(second, of({ a: enforced, b: enforced }), 0)).toMatchObject({
      nodes: ["c"],
    });
    expect(decide(second, of({ a: enforced, b: enforced, c: enforced }), 0)).toEqual({ kind: "finish" });
  });

  it.each<[string, Partial<CourseWord>, string | undefined]>([
    ["rules that undid themselves", { standing: "reverted", detail: "port 22" }, "a REVERTED: port 22"],
    ["a node that failed", { standing: "failed" }, "a failed"],
    [
      "one that fell silent",
      { standing: "lost", isThere: false },
      "a fell silent after it was given the change",
    ],
    ["no condition, unless it was asked for", { standing: "enforced", errors: ["DNS_DOWN"] }, undefined],
  ])("is stopped by %s", (_what, said, why) => {
    expect(decide(course(), of({ a: said }), 0)).toEqual(
      why === undefined ? { kind: "advance" } : { kind: "stop", why },
    );
  });

  it("is stopped by a new error, where that was asked for, in an earlier wave, too", () => {
    const asked = {
      stopOn: ["condition"] as StopCause[],
      waves: [["a"], ["b"]],
    };
    const had = beginWave({ ...course(asked), begun: 0 }, of({ a: { errors: ["DNS_DOWN"] } }));
    expect(decide(had, of({ a: { errors: ["DNS_DOWN"] } }), 0).kind).toBe("wait");
    const second = beginWave(had, of({}));
    expect(decide(second, of({ a: { errors: ["DNS_DOWN", "USER_MISSING"] } }), 0)).toEqual({
      kind: "stop",
      why: "a has an error it had not before: USER_MISSING",
    });
    expect(decide(had, of({ a: { standing: "failed", errors: ["DNS_DOWN"] } }), 0).kind).toBe("advance");
  });

  it("is stopped by its deadline, unless those that are late were not there when it began", () => {
    expect(decide(course(), of({}), 100_001)).toEqual({
      kind: "stop",
      why: "not in force after 100 s on a",
    });
    const away = beginWave({ ...course(), begun: 0, given: new Map() }, of({ a: { isThere: false } }));
    expect(decide(away, of({ a: { isThere: false } }), 0)).toEqual({
      kind: "advance",
    });
    expect(decide(away, of({ a: { standing: "lost", isThere: false } }), 0)).toEqual({ kind: "advance" });
    expect(decide(away, of({}), 100_000).kind).toBe("wait");
    expect(decide(away, of({}), 100_001)).toEqual({ kind: "advance" });
    expect(decide(away, of({ a: { standing: "reverted" } }), 0).kind).toBe("stop");
  });
});

describe("any rollout", () => {
  /** What a node does with the change, this many seconds after it was given to it. */
  const fate = fc.record({
    comes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 60 })),
    after: fc.integer({ min: 0, max: 40 }),
    end: fc.constantFrom("enforced", "enforced", "enforced", "reverted", "failed", "lost", "working"),
    error: fc.boolean(),
  });
  const stops = fc.uniqueArray(fc.constantFrom<StopCause>("reverted", "failed", "condition"), {
    minLength: 1,
  });

  it("never has two waves under way, gives nothing after its stop, and ends", () => {
    fc.assert(
      fc.property(
        fc.array(fate, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 50 }),
        stops,
        (fates, canary, percent, stopOn) => {
          const names = fates.map((_, index) => `n${String(index).padStart(2, "0")}`);
          const givenAt = new Map<string, number>();
          let now = 0;
          const say = (name: string): CourseWord => {
            const { comes, after, end, error } = fates[names.indexOf(name)]!;
            const since = Math.max(givenAt.get(name) ?? now, comes);
            const isOver = givenAt.has(name) && now >= since + after && now >= comes;
            const standing = isOver ? (end as CourseWord["standing"]) : "working";
            const isThere = now >= comes && standing !== "lost";
            return word({
              standing,
              isThere,
              errors: isOver && error ? ["DNS_DOWN"] : [],
            });
          };
          const deadlineSeconds = 30;
          const waves = planWaves(
            { canary, wave: { unit: "percent", size: percent } },
            names.map((name) => node(name, { isThere: say(name).isThere })),
          );
          let running: Course = {
            waves,
            begun: 0,
            given: new Map(),
            stopOn,
            deadlineSeconds,
          };
          const begin = () => {
            for (const name of waves[running.begun]!) givenAt.set(name, now);
            running = beginWave(running, say);
          };
          begin();
          let waveAt = now;
          let end: string | undefined;
          while (end === undefined) {
            const decision = decide(running, say, (now - waveAt) * 1000);
            if (decision.kind === "wait") now += 1;
            else if (decision.kind === "advance") {
              for (const [name, { wasThere }] of running.given) {
                const { standing, isThere } = say(name);
                const settled =
                  standing === "enforced" || (standing !== "working" && !stopOn.includes("failed"));
                const excused = !wasThere && (!isThere || now - waveAt > deadlineSeconds);
                const pardoned =
                  standing === "reverted"
                    ? !stopOn.includes("reverted")
                    : standing === "failed" && !stopOn.includes("failed");
                const wasExcused = !wasThere && !running.waves[running.begun - 1]!.includes(name);
                expect([name, settled || excused || pardoned || wasExcused]).toEqual([name, true]);
              }
              begin();
              waveAt = now;
            } else end = decision.kind;
            expect(now).toBeLessThanOrEqual(waves.length * (deadlineSeconds + 2) + 60);
          }
          // who was not reached by its wave was never given anything
          const reached = new Set(waves.slice(0, running.begun).flat());
          expect(new Set(givenAt.keys())).toEqual(reached);
          if (end === "finish") expect(running.begun).toBe(waves.length);
        },
      ),
      { numRuns: process.env["WEFT_LONG"] === "1" ? 20_000 : 500 },
    );
  });
});
