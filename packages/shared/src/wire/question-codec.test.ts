import { describe, expect, it } from "@jest/globals";
import { Answer, Observation, Question } from "../gen/weft/v1/agent.ts";
import type { KernelAnswer, KernelQuestion, Observation as ObservationValue } from "../model/observation.ts";
import { decodeObservation, encodeObservation, mostFlows } from "./observation-codec.ts";
import { decodeAnswer, decodeQuestion, encodeAnswer, encodeQuestion } from "./question-codec.ts";

const question: KernelQuestion = {
  id: 7,
  hook: "output",
  source: "10.77.0.11",
  destination: "10.77.0.12",
  protocol: "tcp",
  port: 8080,
  user: "web",
  local: false,
  publishedPort: undefined,
};
const answer: KernelAnswer = {
  id: 7,
  witness: "kernel of web1",
  verdict: "accept",
  ownVerdict: "accept",
  decidedBy: "policy",
  policy: "web-to-api",
  file: "mesh.yaml",
  line: 12,
  strength: "address+uid",
  whyUnknown: "",
  trace: ["judge_out (rule 3): accept"],
  assumed: [],
  others: [{ table: "inet ufw", chain: "input", verdict: "unknown", whyUnknown: "xt" }],
  revision: 4,
  digest: "ab",
  uid: 0,
  listeners: [{ address: "::", uid: 998, user: "api" }],
  audited: false,
  endpoints: [
    {
      service: "web",
      direction: "egress",
      verdict: "deny",
      identity: 8061,
      entry: "deny identity 8061 8080/tcp",
      whyUnknown: "",
      listeners: undefined,
    },
    {
      service: "api",
      direction: "ingress",
      verdict: "unknown",
      identity: 0,
      entry: "",
      whyUnknown: "there is no agent",
      listeners: [{ address: "0.0.0.0", uid: 998, user: "api" }],
    },
  ],
};
const flow = {
  kind: "denied",
  direction: "out",
  source: undefined,
  destination: "10.77.0.12",
  protocol: "tcp",
  port: 8080,
  uid: 0,
  user: "root",
  packets: 3,
  lastSeen: new Date("2026-11-22T12:00:00Z"),
} as const;

const endpoint = { service: "api", identity: 36880, peer: "ab".repeat(20), forged: false };

describe("questions, answers and observations", () => {
  it("come back as they went", () => {
    const asked = Question.decode(Question.encode(encodeQuestion(question)).finish());
    expect(decodeQuestion(asked)).toEqual(question);
    const told = Answer.decode(Answer.encode(encodeAnswer(answer)).finish());
    expect(decodeAnswer(told)).toEqual(answer);
    expect(decodeAnswer(encodeAnswer({ id: 3, problem: "no such user" }))).toEqual({
      id: 3,
      problem: "no such user",
    });
    const observation: ObservationValue = {
      witness: "kernel of web1",
      flows: [flow, { ...flow, uid: undefined, user: "", endpoint }],
      complete: true,
      fullSets: ["seen_in4"],
      leftOut: 2,
      memorySeconds: 3600,
      spent: [
        { direction: "out", source: undefined, uid: 2666, user: "mallory" },
        { direction: "in", source: "fd77::/64", uid: undefined, user: "" },
        { direction: "out", source: undefined, uid: undefined, user: "", endpoint: "api" },
      ],
      endpoints: { seconds: 7, gap: "17 events were lost" },
    };
    const sent = Observation.decode(Observation.encode(encodeObservation(observation)).finish());
    expect(decodeObservation(sent)).toEqual(observation);
  });

  it("are refused when they make no sense, or name what is no user", () => {
    const bad: Partial<KernelQuestion>[] = [
      { user: "-x" },
      { user: "a b" },
      { source: "fd77::1" },
      { destination: "nowhere" },
      { port: 0 },
      { port: 70_000 },
      { hook: "prerouting" as never },
    ];
    for (const part of bad) expect(() => decodeQuestion(encodeQuestion({ ...question, ...part }))).toThrow();
    expect(() => decodeAnswer({ ...encodeAnswer(answer), verdict: "maybe" })).toThrow();
  });

  it("of flows speak for the node that tells them, and for no other", () => {
    const bare = { witness: "", complete: false, fullSets: [], leftOut: 0, memorySeconds: 0, spent: [] };
    const foreign = { ...flow, source: "10.77.0.99", destination: "10.77.0.98", uid: 7, user: "x" };
    const flows = [
      { ...foreign, direction: "out" as const },
      { ...foreign, direction: "in" as const },
    ];
    expect(decodeObservation(encodeObservation({ ...bare, flows })).flows).toMatchObject([
      { source: undefined, destination: "10.77.0.98", uid: 7, user: "x" },
      { source: "10.77.0.99", destination: undefined, uid: undefined, user: "" },
    ]);
  });

  it("of endpoints are never of what a node passes on, and name no other end but by a hash", () => {
    const bare = { witness: "", complete: false, fullSets: [], leftOut: 0, memorySeconds: 0, spent: [] };
    const flows = [
      { ...flow, direction: "forward" as const, source: "10.77.0.9", endpoint },
      { ...flow, endpoint: { ...endpoint, peer: "web", service: "x".repeat(500) } },
    ];
    expect(decodeObservation(encodeObservation({ ...bare, flows })).flows).toMatchObject([
      { endpoint: undefined },
      { endpoint: { peer: "", service: "x".repeat(64) } },
    ]);
  });

  it("are bounded, whoever lies", () => {
    const flows = Array.from({ length: mostFlows + 5 }, (_, port) => ({ ...flow, port }));
    const bare = { witness: "", complete: false, fullSets: [], leftOut: 0, memorySeconds: 0, spent: [] };
    const long = encodeObservation({ ...bare, flows });
    expect(decodeObservation(long)).toMatchObject({ leftOut: 5 });
    const chatty = { ...answer, trace: Array.from({ length: 500 }, () => "x".repeat(5_000)) };
    const heard = decodeAnswer(encodeAnswer(chatty));
    expect("trace" in heard ? JSON.stringify(heard.trace).length : 0).toBeLessThan(25_000);
  });
});
