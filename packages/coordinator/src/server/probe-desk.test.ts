// Who is asked for a connection after an apply, in which order, and when nobody is.
import { describe, expect, it } from "@jest/globals";
import type { ApplyEvent } from "@weft/shared/gen/weft/v1/control";
import type { DialAnswer, DialQuestion } from "@weft/shared/model/dial";
import type { KernelAnswer } from "@weft/shared/model/observation";
import { compileText } from "../../../../test/support/policy-net.ts";
import type { HookAnswer } from "../explain/why-path.ts";
import { type ProbeBase, ProbeDesk } from "./probe-desk.ts";
import { ProofDesk } from "./proof-desk.ts";

const ports = "ports: { http: 8080/tcp, more: 8081/tcp }";
const text = (policies: string) => `weft: v1
mesh: lab
trustDomain: mesh.internal
nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11 }
  api1: { address: 10.77.0.12 }
services:
  web: { nodes: [web1], user: web, ${ports} }
  api: { nodes: [api1], user: api, ${ports} }
${policies}`;
const open = compileText(
  text("policies:\n  - { name: a, from: [web], to: api }\n  - { name: b, from: [api], to: web }\n"),
);
const shut = compileText(text(""));
const at = new Date("2026-11-22T12:00:00Z");

const kernel = {
  verdict: "accept",
  decidedBy: "policy",
  others: [],
  assumed: [],
  listeners: [{ address: "0.0.0.0", uid: 1, user: "api" }],
} as unknown as KernelAnswer;

interface Wish {
  readonly mesh?: typeof open;
  readonly before?: ProbeBase;
  readonly revision?: () => number;
  readonly dial?: (node: string, question: Omit<DialQuestion, "id">) => Promise<DialAnswer["outcome"]>;
  readonly signal?: AbortSignal;
}

async function probed({ mesh = open, before, revision = () => 5, dial, signal }: Wish) {
  const steps: NonNullable<ApplyEvent["event"]>[] = [];
  const inForce = { running: undefined, contents: () => shut.contents } as never;
  const desk = new ProbeDesk({
    authority: {
      get mesh() {
        return mesh.mesh;
      },
      get revision() {
        return revision();
      },
      inForce,
    },
    compiler: { compile: () => mesh.contents },
    ways: {
      async ask(from, to) {
        const hook = (kind: HookAnswer["kind"], node: string): HookAnswer => ({
          kind,
          node,
          answer: kernel,
          wanted: undefined,
        });
        return [hook("sender", from.identity.node), hook("receiver", to.identity.node)];
      },
    },
    proofs: new ProofDesk({
      async ask(node, question) {
        const outcome = (await dial?.(node, question)) ?? "accepted";
        return { id: 1, at, outcome, errno: "" };
      },
    }),
  });
  const base = before ?? { revision: 4, state: shut };
  await desk.probe(base, 5, (step) => steps.push(step), signal ?? new AbortController().signal);
  const [first, ...others] = steps;
  return {
    head: first?.value,
    probes: others.flatMap((step) => (step.$case === "probe" ? [step.value] : [])),
  };
}

describe("the probes after an apply", () => {
  it("are announced, made by the sender's node, and told in the order of the choice", async () => {
    const { head, probes } = await probed({});
    expect(head).toMatchObject({ basis: "turned", flows: 4, leftOut: 0, revisionBefore: 4n, notMade: "" });
    expect(probes.map(({ from, to, portName, port }) => [from, to, portName, port])).toEqual([
      ["api", "web", "http", 8080],
      ["api", "web", "more", 8081],
      ["web", "api", "http", 8080],
      ["web", "api", "more", 8081],
    ]);
    expect(probes[2]).toMatchObject({
      fromNode: "web1",
      toNode: "api1",
      meant: "allowed",
      rules: "allowed",
      result: "agrees",
      note: "agrees with the rules",
      proof: { node: "web1", user: "web", outcome: "accepted" },
    });
  });

  it("go on at the same time from different senders, and one after the other from one", async () => {
    const open = new Map<string, number>();
    const most = new Map<string, number>();
    let together = 0;
    await probed({
      async dial(node) {
        open.set(node, (open.get(node) ?? 0) + 1);
        most.set(node, Math.max(most.get(node) ?? 0, open.get(node) ?? 0));
        together = Math.max(
          together,
          [...open.values()].reduce((sum, count) => sum + count, 0),
        );
        await new Promise((resolve) => setTimeout(resolve, 5));
        open.set(node, (open.get(node) ?? 0) - 1);
        return "accepted";
      },
    });
    expect([...most]).toEqual(
      expect.arrayContaining([
        ["api1", 1],
        ["web1", 1],
      ]),
    );
    expect(together).toBe(2);
  });

  it("disagree where the mesh refuses what the loaded rules let pass", async () => {
    const { probes } = await probed({ mesh: shut, before: { revision: 4, state: open } });
    expect(probes).toHaveLength(4);
    for (const probe of probes)
      expect(probe).toMatchObject({ meant: "refused", rules: "allowed", result: "disagrees" });
  });

  it("name no revision to go back to where there was none, or none other", async () => {
    expect((await probed({ before: { revision: 0, state: undefined } })).head).toMatchObject({
      basis: "first",
      flows: 2,
      revisionBefore: 0n,
    });
    expect((await probed({ before: { revision: 5, state: open } })).head).toMatchObject({
      basis: "none-turned",
      revisionBefore: 0n,
    });
  });

  it("are not made for a revision that another one has replaced, and prove nothing if that comes meanwhile", async () => {
    const { head, probes } = await probed({ revision: () => 6 });
    expect(head).toMatchObject({ flows: 0, notMade: "a newer revision took its place" });
    expect(probes).toEqual([]);
    let revision = 5;
    const during = await probed({
      revision: () => revision,
      async dial() {
        revision = 6;
        return "refused";
      },
    });
    expect(during.probes.map(({ result, note }) => [result, note])).toEqual(
      Array(4).fill(["not-proved", "a newer revision took its place"]),
    );
  });

  it("stop when nobody listens any more", async () => {
    const stop = new AbortController();
    const dialled: string[] = [];
    await probed({
      signal: stop.signal,
      async dial(node) {
        dialled.push(node);
        stop.abort();
        return "accepted";
      },
    });
    expect(dialled.length).toBeLessThanOrEqual(2);
    expect(new Set(dialled).size).toBe(dialled.length);
  });
});
