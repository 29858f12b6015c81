// Any sequence of wanted sets of policy files, each interrupted anywhere, with an agent that is slow, refuses, begins anew and ends
// over what a real one ends over: it never ends, and in the end has loaded what is wanted. 60 sequences; WEFT_LONG=1: 1,000.
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { PolicyDirectory } from "../../packages/node-agent/src/cilium/policy-directory.ts";
import type { CiliumPolicyFile } from "../../packages/shared/src/model/cilium-policy.ts";
import { AgentWorld, policyDirectory } from "../support/cilium/agent-world.ts";
import { policyOf } from "../support/cilium/policy-sample.ts";
import "../support/property-seed.ts";

const writerOf = ({ host: { files }, clock, client }: AgentWorld) =>
  new PolicyDirectory({ files, clock, client, directory: policyDirectory });

describe("any sequence of wanted sets, interrupted anywhere", () => {
  const setsOf = (...ports: number[]) =>
    fc.array(fc.record({ service: fc.constantFrom("a", "b", "c"), port: fc.constantFrom(...ports) }), {
      maxLength: 3,
    });
  const step = fc.record({
    // the agent never takes the last one
    wanted: setsOf(80, 9090, 7777),
    lagMs: fc.constantFrom(0, 20, 900, 4_000),
    ending: fc.constantFrom("done", "abort", "anew", "restart", "foreign"),
    after: fc.integer({ min: 1, max: 8 }),
  });
  const filesOf = (wanted: readonly { service: string; port: number }[]): CiliumPolicyFile[] => [
    ...new Map(wanted.map(({ service, port }) => [service, policyOf(service, port)])).values(),
  ];

  it("never ends the agent, and ends with the last one loaded", async () => {
    const told = { aborted: 0, findings: 0, changed: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 6 }), setsOf(80, 9090), async (steps, last) => {
        const own = new AgentWorld();
        await own.listen();
        try {
          own.engine.refuses = (text) => text.includes("7777");
          let each = writerOf(own);
          for (const { wanted, lagMs, ending, after } of steps) {
            own.engine.lagMs = lagMs;
            const files = filesOf(wanted);
            const abort = new AbortController();
            if (ending === "foreign")
              await own.host.files.write(`${policyDirectory}/x.yaml`, policyOf("x").text);
            const interrupted = ending === "abort" || ending === "anew" || ending === "restart";
            if (interrupted) own.clock.atSleep(after, () => abort.abort());
            await each.write(files, abort.signal).then(
              ({ findings, changed }) => {
                told.findings += findings.length;
                told.changed += changed.length;
              },
              (failure: unknown) => {
                if (!abort.signal.aborted) throw failure;
                told.aborted++;
              },
            );
            own.clock.onSleep = undefined;
            if (ending === "anew") each = writerOf(own);
            if (ending === "restart") {
              await own.agent.close();
              await each.quarantine(files.map(({ name }) => name));
              await own.agent.restart();
              await own.clock.sleep(4_000);
            }
            own.engine.settle();
            expect({ steps, ended: own.engine.ended }).toEqual({ steps, ended: undefined });
          }
          own.engine.lagMs = 20;
          // what is still to come from before has come
          await own.clock.sleep(10_000);
          const files = filesOf(last);
          const { findings } = await each.write(files);
          own.engine.settle();
          expect({ steps, last, ended: own.engine.ended, findings }).toEqual({
            steps,
            last,
            ended: undefined,
            findings: [],
          });
          const texts = files.map(({ name, text }) => [name, JSON.parse(text).specs]);
          const loaded = new Map([...own.engine.loaded].map(([name, { specs }]) => [name, specs]));
          expect({ steps, last, loaded: loaded.size }).toEqual({ steps, last, loaded: files.length });
          for (const [name, specs] of texts) expect(specs).toMatchObject(loaded.get(name) as object);
        } finally {
          await own.dispose();
        }
      }),
      { numRuns: process.env["WEFT_LONG"] === "1" ? 1_000 : 60 },
    );
    process.stderr.write(`${JSON.stringify(told)}\n`);
    for (const seen of Object.values(told)) expect(seen).toBeGreaterThan(0);
  }, 3_600_000);
});
