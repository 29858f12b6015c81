import { describe, expect, it } from "@jest/globals";
import { agreementOf } from "./agreement.ts";
import { type ProbeFindings, probeResult } from "./probe-result.ts";

type Outcome = "accepted" | "refused" | "unanswered" | "unreachable";

function found(
  meant: "allowed" | "refused",
  rules: "allowed" | "refused" | "unknown",
  outcome: Outcome,
  heard: boolean | "nothing" = true,
  errno = "",
) {
  const listens = heard === "nothing" ? undefined : heard;
  const findings: ProbeFindings = {
    flow: { toNode: "api1", port: 8080 },
    meant,
    rules,
    sentence: "at the receiver, api1: so it is",
    proof: { ...agreementOf(rules, { outcome, errno }, listens), outcome, errno, sentence: "a connection" },
    listens,
  };
  return probeResult(findings);
}

describe("a probe", () => {
  it("agrees when mesh, rules and connection say the same", () => {
    expect(found("allowed", "allowed", "accepted")).toEqual({
      result: "agrees",
      note: "agrees with the rules",
    });
    expect(found("refused", "refused", "refused").result).toBe("agrees");
    for (const errno of ["EACCES", "EPERM"])
      expect(found("refused", "refused", "unreachable", true, errno).result).toBe("agrees");
  });

  it("is no agreement where a refused connection came to nothing as it would without a network", () => {
    for (const listens of [true, false, "nothing"] as const) {
      expect(found("refused", "refused", "unanswered", listens).result).toBe("not-proved");
      expect(found("refused", "refused", "unreachable", listens, "EHOSTUNREACH").result).toBe("not-proved");
    }
  });

  it("disagrees when the connection met something else", () => {
    for (const outcome of ["refused", "unanswered", "unreachable"] as const)
      expect(found("allowed", "allowed", outcome).result).toBe("disagrees");
    expect(found("refused", "refused", "accepted")).toMatchObject({
      result: "disagrees",
      note: expect.stringContaining("went through"),
    });
  });

  it("disagrees when the loaded rules are not what the mesh means, though the connection agrees with them", () => {
    expect(found("allowed", "refused", "unanswered")).toEqual({
      result: "disagrees",
      note: "the mesh allows it, and the loaded rules do not: at the receiver, api1: so it is",
    });
    expect(found("refused", "allowed", "accepted").result).toBe("disagrees");
    expect(found("refused", "allowed", "refused").result).toBe("disagrees");
  });

  it("is no agreement where the rules give no verdict, and a hole is a hole all the same", () => {
    for (const outcome of ["accepted", "refused", "unanswered", "unreachable"] as const)
      expect(found("allowed", "unknown", outcome)).toEqual({
        result: "not-proved",
        note: "the rules give no verdict: at the receiver, api1: so it is",
      });
    expect(found("refused", "unknown", "unanswered").result).toBe("not-proved");
    expect(found("refused", "unknown", "accepted")).toMatchObject({
      result: "disagrees",
      note: expect.stringContaining("the mesh refuses it, and it went through"),
    });
  });

  it("is no agreement when a reset may come from an empty port", () => {
    for (const verdict of ["allowed", "refused"] as const)
      expect(found(verdict, verdict, "refused", false)).toEqual({
        result: "not-proved",
        note: "nobody listens on 8080/tcp of api1: a reset says nothing of the rules",
      });
    expect(found("refused", "refused", "refused", "nothing")).toMatchObject({
      result: "not-proved",
      note: expect.stringContaining("api1 does not say who listens"),
    });
  });

  it("that was not made says why", () => {
    const proof = {
      agreement: "open",
      outcome: "not-tried",
      errno: "",
      sentence: "web1 made no connection",
      note: "",
    } as const;
    const flow = { toNode: "api1", port: 8080 };
    const findings = { flow, meant: "refused", rules: "refused", sentence: "", listens: true } as const;
    expect(probeResult({ ...findings, proof })).toEqual({
      result: "not-proved",
      note: "web1 made no connection",
    });
  });
});
