import { describe, expect, it } from "@jest/globals";
import { contents, end, mesh, own, tcp, wayOf } from "../../../../test/support/cilium/sample-ends.ts";
import { dialPlanOf } from "./dial-plan.ts";
import { endAt } from "./endpoint-way.ts";

describe("the way of a connection between endpoints", () => {
  it("is by their own addresses where the name of a service is asked for, and by those of nodes else", () => {
    const between = { source: own.web, seenSource: own.web, destination: own.api, isDirect: true };
    expect(wayOf("web", "api")).toMatchObject({
      ...between,
      sender: { service: "web" },
      receiver: { service: "api" },
    });
    // its node's address, which no service is known by
    const byNode = { source: own.web, seenSource: "10.77.0.11", destination: "10.77.0.12", isDirect: false };
    for (const words of ["node:api1", "10.77.0.12"])
      expect(wayOf("web", words)).toMatchObject({ ...byNode, receiver: { service: "api" } });
    expect(wayOf("web", "job", tcp(8090))).toMatchObject({
      source: own.web,
      seenSource: "10.77.0.11",
      destination: "10.77.0.10",
      receiver: undefined,
    });
    expect(wayOf("api", "node:api1")).toMatchObject({ seenSource: own.api, receiver: undefined });
  });

  it("from whoever has none leads to what its node publishes", () => {
    const fromHub = { source: "10.77.0.10", seenSource: "10.77.0.10", destination: "10.77.0.12" };
    for (const words of ["api", "node:api1"])
      expect(wayOf("job", words)).toMatchObject({
        ...fromHub,
        sender: undefined,
        receiver: { service: "api" },
      });
    expect(wayOf("job", "api", tcp(22))).toMatchObject({ ...fromHub, receiver: undefined });
    expect(wayOf("192.0.2.9", "api", tcp(8080), "hub")).toMatchObject({
      source: "192.0.2.9",
      seenSource: "10.77.0.10",
      receiver: { service: "api" },
    });
  });

  it("may be asked for by the address of an endpoint, which is its service's", () => {
    expect(endAt(mesh, contents, own.api)).toEqual(end("api"));
    expect(endAt(mesh, contents, "10.77.0.12")).toBeUndefined();
    expect(endAt(mesh, contents, "10.42.12.9")).toBeUndefined();
  });

  it("is dialled as the sender's service would", () => {
    const dialled = (from: string, to: string, port = tcp(8080)) =>
      dialPlanOf(mesh, end(from), end(to), port, "", wayOf(from, to, port));
    expect(dialled("web", "api")).toMatchObject({ node: "web1", question: { destination: own.api } });
    expect(dialled("web", "node:api1")).toMatchObject({ question: { destination: "10.77.0.12" } });
    expect(dialled("job", "api")).toMatchObject({ question: { destination: "10.77.0.12" } });
    expect(dialled("web", "job", tcp(8090))).toMatchObject({ question: { destination: "10.77.0.10" } });
  });
});
