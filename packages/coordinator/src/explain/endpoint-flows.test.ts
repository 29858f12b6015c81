// What Cilium at endpoints was heard to do, by identity, and beside what nftables counts of the same connections.
import { describe, expect, it } from "@jest/globals";
import type { EndpointFlow, ObservedFlow } from "@weft/shared/model/observation";
import { spiffeLabel } from "@weft/shared/render/cilium-labels";
import { contents, mesh, meshWith, own } from "../../../../test/support/cilium/sample-ends.ts";
import type { NodeObservations } from "../fleet/observations.ts";
import { identityTexts, unheardTexts } from "./endpoint-doubts.ts";
import { identityText } from "./identify.ts";
import { namedFlows } from "./named-flows.ts";

const now = new Date("2026-11-22T12:00:00Z");
const hashOf = (service: string) =>
  spiffeLabel(`spiffe://mesh.internal/${service}`).slice("spiffe:id=".length);
const flow = (more: Partial<ObservedFlow>): ObservedFlow => ({
  kind: "seen",
  direction: "in",
  source: undefined,
  destination: undefined,
  protocol: "tcp",
  port: 8080,
  uid: undefined,
  user: "",
  packets: 1,
  lastSeen: now,
  ...more,
});
const at = (
  service: string,
  other: string,
  more: Partial<ObservedFlow> = {},
  how: Partial<EndpointFlow> = {},
) =>
  flow({
    ...(more.direction === "out" ? { destination: other } : { source: other }),
    endpoint: { service, identity: 36880, peer: "", forged: false, ...how },
    ...more,
  });
const of = (node: string, ...flows: ObservedFlow[]): NodeObservations => ({
  node,
  flows,
  fullSets: [],
  leftOut: 0,
  spent: [],
  memorySince: now,
  heard: now,
});
const said = (...observed: NodeObservations[]) =>
  namedFlows(mesh, contents, observed).map(
    ({ kind, source, destination, protocol, port, portName, witness }) =>
      `${kind} ${identityText(source)} -> ${identityText(destination)} ${portName} ${port}/${protocol}: ${witness}`,
  );

describe("a flow between two endpoints", () => {
  it("is one, and both ends' Cilium testify to it", () => {
    const sent = at("web", own.api, { direction: "out" }, { peer: hashOf("api") });
    const arrived = at("api", own.web, {}, { peer: hashOf("web") });
    expect(said(of("web1", sent), of("api1", arrived))).toEqual([
      "allowed web on web1 -> api on api1 http 8080/tcp: Cilium at web1 and api1",
    ]);
    expect(said(of("web1", sent))).toEqual([
      "allowed web on web1 -> api on api1 http 8080/tcp: Cilium at web1",
    ]);
    expect(said(of("api1", arrived))).toEqual([
      "allowed web on web1 -> api on api1 http 8080/tcp: Cilium at api1",
    ]);
  });

  it("that its receiver refuses was not let pass", () => {
    const sent = at("web", own.api, { direction: "out", port: 9090 });
    const refused = at("api", own.web, { kind: "denied", port: 9090 });
    expect(said(of("web1", sent), of("api1", refused))).toEqual([
      "denied web on web1 -> api on api1  9090/tcp: Cilium at api1",
    ]);
  });

  it("on one machine, too", () => {
    const log = contents.get("api1")!.cilium!.endpoints.find(({ service }) => service === "log")!;
    const flows = [
      at("api", log.address, { direction: "out", port: 514 }),
      at("log", own.api, { port: 514 }),
    ];
    expect(said(of("api1", ...flows))).toEqual([
      "allowed api on api1 -> log on api1 log 514/tcp: Cilium at api1",
    ]);
  });
});

describe("a flow with an endpoint at one end", () => {
  it("comes by the node's address: nftables of both nodes count it, and Cilium", () => {
    const sent = flow({ direction: "out", destination: "10.77.0.12", uid: 7, user: "job" });
    const arrived = flow({ source: "10.77.0.10" });
    const inside = at("api", "10.77.0.10", {}, { identity: 33554437 });
    const whole = "allowed job on hub -> api on api1 http 8080/tcp";
    expect(said(of("hub", sent), of("api1", arrived, inside))).toEqual([
      `${whole}: kernel of hub and Cilium at api1`,
    ]);
    expect(said(of("hub", sent), of("api1", arrived))).toEqual([`${whole}: kernels of hub and api1`]);
    expect(said(of("api1", arrived, inside))).toEqual([
      "allowed node hub -> api on api1 http 8080/tcp: Cilium at api1",
    ]);
  });

  it("that Cilium refuses is refused, whatever nftables lets in", () => {
    const sent = flow({ direction: "out", destination: "10.77.0.12", uid: 7, user: "job" });
    const inside = at("api", "10.77.0.10", { kind: "denied" }, { identity: 33554437 });
    expect(said(of("hub", sent), of("api1", flow({ source: "10.77.0.10" }), inside))).toEqual([
      "denied node hub -> api on api1 http 8080/tcp: Cilium at api1",
    ]);
  });

  it("leaves by the node's address, and the other node counts that", () => {
    const sent = at("web", "10.77.0.10", { direction: "out", port: 8090 }, { identity: 33554433 });
    const arrived = flow({ source: "10.77.0.11", port: 8090 });
    expect(said(of("web1", sent), of("hub", arrived))).toEqual([
      "allowed web on web1 -> job on hub http 8090/tcp: Cilium at web1 and kernel of hub",
    ]);
    // its own node's nftables knows it by its own address
    const refused = flow({
      kind: "denied",
      direction: "forward",
      source: own.web,
      destination: "10.77.0.10",
      port: 8090,
    });
    expect(said(of("web1", sent, refused))).toEqual([
      "denied web on web1 -> job on hub http 8090/tcp: kernel of web1",
    ]);
  });

  it("to its own node, and from there by the router's address, is the node's", () => {
    const asked = at("web", "10.77.0.11", { direction: "out", protocol: "udp", port: 53 }, { identity: 1 });
    const arrived = flow({ source: own.web, protocol: "udp", port: 53 });
    expect(said(of("web1", asked, arrived))).toEqual([
      "allowed web on web1 -> node web1  53/udp: Cilium at web1",
    ]);
    expect(said(of("web1", at("web", "169.254.42.1", { kind: "denied" }, { identity: 1 })))).toEqual([
      "denied node web1 -> web on web1 http 8080/tcp: Cilium at web1",
    ]);
  });

  it("is none where there is no such endpoint any more", () => {
    expect(said(of("api1", at("gone", own.web)))).toEqual([]);
  });
});

describe("a refusal at an endpoint", () => {
  const denied = (node: string, told: ObservedFlow) =>
    namedFlows(mesh, contents, [of(node, { ...told, kind: "denied" })])[0]!;

  it("says the line that would allow it", () => {
    expect(denied("web1", at("web", own.api))).toMatchObject({
      origin: undefined,
      wouldAllow: "- { name: api-to-web, from: [api], to: web, ports: [http] }",
    });
    expect(denied("api1", at("api", "10.77.0.10"))).toMatchObject({
      wouldAllow: "- { name: hub-to-api, from: [node:hub], to: api, ports: [http] }",
    });
    expect(denied("web1", at("web", "198.51.100.7", { direction: "out", port: 443 }))).toMatchObject({
      source: { name: "web" },
      wouldAllow:
        "- { name: web-to-198-51-100-7, from: [web], to: { cidr: 198.51.100.7 }, ports: [443/tcp] }",
    });
  });

  it("at the sender's end is the policy's that denies at the receiver's", () => {
    const text = "  - { name: no-log, from: [web], to: log, action: deny }";
    const denying = meshWith(text);
    const log = contents.get("api1")!.cilium!.endpoints.find(({ service }) => service === "log")!;
    const sent = at("web", log.address, { direction: "out", port: 514, kind: "denied" });
    expect(namedFlows(denying.mesh, denying.contents, [of("web1", sent)])).toMatchObject([
      { origin: { policy: "no-log" }, wouldAllow: "" },
    ]);
    const job = meshWith("  - { name: no-job, from: [web], to: job, action: deny }");
    const toJob = at("web", "10.77.0.10", { direction: "out", port: 8090, kind: "denied" });
    expect(namedFlows(job.mesh, job.contents, [of("web1", toJob)])).toMatchObject([
      { origin: { policy: "no-job" }, wouldAllow: "" },
    ]);
  });

  it("has no line where no policy could allow it", () => {
    expect(denied("api1", at("api", own.web, { port: 9999 }))).toMatchObject({ wouldAllow: "" });
    expect(denied("api1", at("api", own.web, { protocol: "icmp", port: 0 }))).toMatchObject({
      wouldAllow: "",
    });
    // who calls an endpoint by its node's address is to call it by its name
    const byNode = at("web", "10.77.0.12", { direction: "out" }, { identity: 33554437 });
    expect(denied("web1", byNode)).toMatchObject({ destination: { name: "api" }, wouldAllow: "" });
  });

  it("of a forged source has no line that would allow it", () => {
    const forged = at("web", own.api, { direction: "out" }, { forged: true, identity: 0 });
    expect(denied("web1", forged)).toMatchObject({
      isForged: true,
      source: { kind: "service", name: "web" },
      destination: { name: "api" },
      wouldAllow: "",
    });
  });
});

describe("what may be missing", () => {
  const texts = (more: Partial<NodeObservations>, node = "api1") =>
    unheardTexts(contents, { ...of(node), ...more }, now);

  it("is said until it would be forgotten", () => {
    const since = new Date(now.getTime() - 600_000);
    expect(texts({})).toEqual(["api1 has told nothing of its endpoints: UNKNOWN"]);
    expect(texts({ endpoints: { since: undefined, gap: "gone" } })).toEqual([
      "api1: what Cilium does at its endpoints is not heard now (gone): UNKNOWN",
    ]);
    expect(texts({ endpoints: { since, gap: "17 events were lost" } })).toEqual([
      "api1: what Cilium did at its endpoints before 2026-11-22T11:50:00Z is not listed in full (17 events were lost): UNKNOWN",
    ]);
    expect(texts({ endpoints: { since: new Date(now.getTime() - 3_600_000), gap: "" } })).toEqual([]);
    expect(texts({}, "hub")).toEqual([]);
  });

  it("is named where it is one source's", () => {
    const whole = { since: new Date(0), gap: "" };
    const spent = [
      { direction: "in", source: "192.0.2.7", uid: undefined, user: "" },
      { direction: "out", source: undefined, uid: undefined, user: "", endpoint: "api" },
      { direction: "out", source: undefined, uid: 7, user: "job" },
    ] as const;
    expect(texts({ endpoints: whole, spent })).toEqual([
      "api1: of 192.0.2.7 more was seen than is remembered of one source: what is not listed is UNKNOWN",
      "api1: of the endpoint of api more was seen than is remembered of one source: what is not listed is UNKNOWN",
    ]);
  });
});

describe("an address that Cilium takes for somebody else", () => {
  const doubts = (told: ObservedFlow) =>
    identityTexts(mesh, contents, [of("api1", told)]).map(({ text }) => text);
  const tail = "its list of addresses is old, or was forged; what it refused or let pass by it is UNKNOWN";

  it("is said, with both", () => {
    expect(doubts(at("api", own.web, {}, { peer: hashOf("web") }))).toEqual([]);
    // which service a number is may not be told
    expect(doubts(at("api", own.web))).toEqual([]);
    expect(doubts(at("api", own.web, {}, { peer: hashOf("log") }))).toEqual([
      `api1: Cilium took ${own.web} for log, and the mesh file has the endpoint of web there: ${tail}`,
    ]);
    expect(doubts(at("api", own.web, {}, { identity: 2 }))).toEqual([
      `api1: Cilium took ${own.web} for identity 2, no service, and the mesh file has the endpoint of web there: ${tail}`,
    ]);
    expect(doubts(at("api", "192.0.2.7", {}, { peer: hashOf("web") }))).toEqual([
      `api1: Cilium took 192.0.2.7 for web, and the mesh file has no endpoint there: ${tail}`,
    ]);
    expect(doubts(at("api", "192.0.2.7", {}, { identity: 2 }))).toEqual([]);
  });
});
