import { describe, expect, it } from "@jest/globals";
import { sampleFleet, sampleNode } from "../../../../test/support/fleet-sample.ts";
import { fleetJson, nodeJson, renderJson, renderJsonLine } from "./render-json.ts";

describe("the JSON of the status", () => {
  it("is the documented shape", () => {
    const [web1] = fleetJson({ ...sampleFleet, nodes: [sampleNode] }).nodes;
    expect(JSON.parse(renderJson({ ...web1, facts: "left out here" }))).toEqual({
      name: "web1",
      state: "Online",
      address: "10.77.0.11",
      enforcement: "nftables",
      revision: {
        wanted: 4,
        enforced: 4,
        verdict: "ENFORCED",
        phase: "enforced",
        enforcedAt: "2026-03-01T11:58:20.000Z",
        witness: "kernel of web1",
      },
      identity: {
        nodeSvidExpires: "2026-03-01T12:50:00.000Z",
        spireAgentId: "spiffe://mesh.internal/spire/agent/x509pop/web1",
        spireAgentHealthy: true,
        spireAgentSvidExpires: "2026-03-02T10:13:20.000Z",
      },
      dns: { mode: "file", state: "in-force", detail: "" },
      cut: null,
      floor: null,
      conditions: [],
      facts: "left out here",
      lastSeen: "2026-03-01T11:59:58.000Z",
      agentVersion: "0.1.0",
    });
  });

  it("says null for what is unknown, and leaves no field out", () => {
    const shapes = sampleFleet.nodes.map((node) => Object.keys(nodeJson(node)).join());
    expect(new Set(shapes).size).toBe(1);
    const absent = nodeJson(sampleFleet.nodes.at(-1)!);
    expect(absent).toMatchObject({ facts: null, lastSeen: null, agentVersion: null, conditions: [] });
    expect(renderJson(absent)).not.toContain("undefined");
  });

  it("gives a condition its severity, title and hint", () => {
    const api1 = fleetJson(sampleFleet).nodes.find(({ name }) => name === "api1");
    expect(api1?.conditions[0]).toMatchObject({
      code: "DNS_DOWN",
      severity: "error",
      title: expect.any(String),
      hint: expect.any(String),
    });
  });

  it("writes 64-bit integers as numbers while that is exact", () => {
    expect(renderJsonLine({ a: 7n, b: 2n ** 60n })).toBe('{"a":7,"b":"1152921504606846976"}');
  });

  it("sorts nodes by name, so that the same status is the same text", () => {
    const turned = { ...sampleFleet, nodes: sampleFleet.nodes.toReversed() };
    expect(renderJson(fleetJson(turned))).toBe(renderJson(fleetJson(sampleFleet)));
  });
});
