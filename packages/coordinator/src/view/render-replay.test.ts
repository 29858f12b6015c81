import { describe, expect, it } from "@jest/globals";
import type { FlipView } from "./flow-model.ts";
import { renderReplay, replayJson } from "./render-replay.ts";

const web = { kind: "service", node: "web1", address: "10.77.0.11", spiffeId: "spiffe://m/web", name: "web" };
const api = { ...web, name: "api", node: "api1", address: "10.77.0.12", spiffeId: "" };
const now = new Date(Date.UTC(2026, 2, 1, 12, 0));
const flip: FlipView = {
  becomes: "refused",
  source: web,
  destination: api,
  protocol: "tcp",
  port: 8080,
  portName: "http",
  lastUsed: new Date(now.getTime() - 125_000),
  witnesses: ["web1", "api1"],
  claim: false,
  decidedBy: "default",
  file: "",
  line: 0,
  at: "web1",
  guard: false,
};
const full = { since: new Date(0), youngest: "" };
const plain = (_tone: unknown, text: string) => text;

describe("what a replay found, in lines", () => {
  it("says who, what, when, who saw it and what will decide", () => {
    const allowed = { ...flip, becomes: "allowed", decidedBy: "p", file: "mesh.yaml", line: 7, at: "api1" };
    const outside = {
      ...flip,
      destination: { ...api, kind: "none", name: "", address: "192.0.2.7" },
      portName: "",
    };
    const claim = { ...flip, witnesses: ["web1"], claim: true };
    const flips = [flip, claim, { ...outside, witnesses: ["web1"] }, allowed];
    expect(renderReplay({ flips, unknown: [], ...full }, now, plain)).toEqual([
      "flows of the last days: 3 would be refused, 1 newly allowed",
      "  - web on web1 -> api:8080/tcp (http) on api1 (last used 2 min ago, seen by kernels of web1 and api1) would be REFUSED by default (no policy) on web1",
      "  - web on web1 -> api:8080/tcp (http) on api1 (last used 2 min ago, claimed by the kernel of web1 alone, that of api1 does not say so) would be REFUSED by default (no policy) on web1",
      "  - web on web1 -> 192.0.2.7:8080/tcp (last used 2 min ago, seen by kernel of web1) would be REFUSED by default (no policy) on web1",
      "  + web on web1 -> api:8080/tcp (http) on api1 (last used 2 min ago, seen by kernels of web1 and api1) would be ALLOWED by policy p (mesh.yaml:7) on api1",
    ]);
  });

  it("names the nodes of what is UNKNOWN once for each cause", () => {
    const unknown = ["a", "b", "c", "d", "e", "f"].map((node) => ({
      node,
      text: "full",
      source: "",
      since: undefined,
    }));
    expect(renderReplay({ flips: [], unknown, ...full }, undefined, plain)).toEqual([
      "UNKNOWN a, b, c, d, e and 1 more: full",
      "of the flows that kernels saw opened in the last 7 days none would be refused or newly allowed; of what is UNKNOWN some may",
    ]);
  });

  it("says of nothing more than the span it is true for", () => {
    const since = new Date(now.getTime() - 2 * 3600_000);
    const young = {
      node: "web1",
      text: "what was opened before its memory began is UNKNOWN",
      source: "",
      since,
    };
    const found = { flips: [], unknown: [young], since, youngest: "web1" };
    expect(renderReplay(found, now, plain)).toEqual([
      "UNKNOWN web1 (began 2 h ago): what was opened before its memory began is UNKNOWN",
      "of the flows that kernels saw opened in the last 2 h (the memory of web1 goes back no further) none would be refused or newly allowed; of what is UNKNOWN some may",
    ]);
    expect(renderReplay(found, undefined, plain)[1]).toContain("opened since 2026-03-01 10:00:00 (");
    const silent = { ...young, since: undefined };
    expect(renderReplay({ ...found, unknown: [silent], since: undefined }, now, plain)[1]).toContain(
      "nothing is remembered",
    );
    expect(replayJson(found)).toMatchObject({ youngest: "web1", unknown: [{ source: null }] });
  });

  it("lets no name of a node or policy write to the terminal", () => {
    const hostile = { ...flip, source: { ...web, name: "\u001b[2Jweb" } };
    expect(renderReplay({ flips: [hostile], unknown: [], ...full }, now, plain).join("")).not.toContain(
      "\u001b",
    );
  });

  it("is JSON with times in ISO 8601 and null for nothing", () => {
    expect(replayJson({ flips: [flip], unknown: [], ...full }).flips[0]).toMatchObject({
      becomes: "refused",
      lastUsed: "2026-03-01T11:57:55.000Z",
      file: null,
      line: null,
      decidedBy: "default",
      destination: { spiffeId: null },
    });
  });
});
