// Which addresses and ports endpoints of Cilium never have, floor or not.
import { describe, expect, it } from "@jest/globals";
import type { DesiredContent, Guard, PortRange } from "@weft/shared/model/desired";
import { bounded, endpoint, two, wantedWith } from "../../../../test/support/cilium/bounded-endpoints.ts";
import { tcp } from "../../../../test/support/floored.ts";

describe("the ports of an endpoint", () => {
  const udp = (from: number, to = from): PortRange => ({ protocol: "udp", from, to });
  const withGuard = (port: PortRange, guard: Partial<Guard>) => {
    const wanted = wantedWith([
      endpoint("api", "10.42.1.5"),
      endpoint("web", "10.42.1.6", { ports: [tcp(9000), port] }),
    ]);
    return { ...wanted, policy: { ...wanted.policy, guard: { ...wanted.policy.guard, ...guard } } };
  };
  const admin = ["192.0.2.0/28"];

  it.each<[string, PortRange, Partial<Guard>, string]>([
    ["every port", tcp(1, 65535), {}, "1-65535/tcp led to the endpoint of web: 22/tcp is the machine's own"],
    ["SSH", tcp(22), {}, "22/tcp led to the endpoint of web: 22/tcp is the machine's own"],
    ["the resolver", tcp(50, 60), {}, "50-60/tcp led to the endpoint of web: 53/tcp is the machine's own"],
    ["the resolver", udp(53), {}, "53/udp led to the endpoint of web: 53/udp is the machine's own"],
    [
      "the coordinator",
      tcp(7444),
      {},
      "7444/tcp led to the endpoint of web: 7443-7444/tcp is the machine's own",
    ],
    [
      "a guard port",
      tcp(2200, 2300),
      { admin, ports: [tcp(2222)] },
      "2200-2300/tcp led to the endpoint of web: 2222/tcp is a guard port",
    ],
    [
      "the coordinator here",
      tcp(8081),
      { isCoordinator: true, coordinatorPorts: [tcp(8443), tcp(8444), tcp(8081)] },
      "8081/tcp led to the endpoint of web: 8081/tcp is a guard port",
    ],
  ])("are never those of %s", (_what, port, guard, refused) => {
    expect(bounded(withGuard(port, guard))).toMatchObject({
      services: ["api"],
      addresses: ["10.42.1.5"],
      refused: [`the agent refused ${refused}`],
    });
  });

  it("are never a guard port of the floor, though the coordinator knows none", () => {
    const lines = "cilium: true\nguard: { admin: [192.0.2.0/28], ports: [2222/tcp] }";
    expect(bounded(withGuard(tcp(2222), {}), lines)).toMatchObject({
      services: ["api"],
      refused: ["floor.yaml:3 refused 2222/tcp led to the endpoint of web: 2222/tcp is a guard port"],
    });
  });

  it("may be others, next to them, too", () => {
    const guard = { admin, ports: [tcp(2222)], coordinatorPorts: [tcp(8443), tcp(8444), tcp(8081)] };
    for (const port of [tcp(23, 52), udp(22), tcp(2223), tcp(8081), udp(2222)])
      expect(bounded(withGuard(port, guard)).refused).toEqual([]);
    expect(bounded(withGuard(tcp(2222), { ports: [tcp(2222)] })).refused).toEqual([]);
  });
});

describe("the ranges of endpoints", () => {
  const inRanges = (
    { range = "10.42.1.0/24", ranges = "10.42.0.0/16" },
    guard: Partial<Guard> = {},
    upstreams: readonly string[] = [],
  ): DesiredContent => {
    const { cilium, policy, dns, ...others } = two;
    return {
      ...others,
      dns: { ...dns, upstreams },
      policy: { ...policy, guard: { ...policy.guard, ...guard } },
      ...(cilium === undefined ? {} : { cilium: { ...cilium, range, ranges } }),
    };
  };

  it.each<[string, DesiredContent, string]>([
    ["all of them", inRanges({ ranges: "10.0.0.0/8" }), "10.0.0.0/8: it is wider than /16"],
    ["a single address", inRanges({ range: "10.42.1.5/32" }), "10.42.1.5/32: it is narrower than /29"],
    ["loopback", inRanges({ ranges: "127.0.0.0/16" }), "127.0.0.0/16: it holds a loopback address"],
    ["link-local", inRanges({ ranges: "169.254.0.0/16" }), "169.254.0.0/16: it holds a link-local address"],
    [
      "multicast",
      inRanges({ ranges: "239.1.0.0/16" }),
      "239.1.0.0/16: it holds a multicast or reserved address",
    ],
    [
      "an administrator's",
      inRanges({}, { admin: ["192.0.2.0/28", "10.42.9.9"] }),
      "10.42.0.0/16: it overlaps 10.42.9.9, an admin range",
    ],
    [
      "part of an admin range",
      inRanges({}, { admin: ["10.0.0.0/8"] }),
      "10.42.0.0/16: it overlaps 10.0.0.0/8, an admin range",
    ],
    [
      "the node's own",
      inRanges({ ranges: "10.77.0.0/24" }),
      "10.77.0.0/24: it overlaps 10.77.0.11, this node's address",
    ],
    [
      "the coordinator's",
      inRanges({}, { coordinatorAddress: "10.42.0.1" }),
      "10.42.0.0/16: it overlaps 10.42.0.1, the coordinator's address",
    ],
    [
      "another node's",
      inRanges({}, { nodeAddresses: ["10.42.0.2"] }),
      "10.42.0.0/16: it overlaps 10.42.0.2, a node's address",
    ],
    [
      "a guarded resolver's",
      inRanges({}, { upstreams: ["10.42.0.3"] }),
      "10.42.0.0/16: it overlaps 10.42.0.3, an upstream resolver",
    ],
    [
      "a resolver's",
      inRanges({}, {}, ["10.42.0.4"]),
      "10.42.0.0/16: it overlaps 10.42.0.4, an upstream resolver",
    ],
  ])("are never %s: nothing of Cilium is taken then, floor or not", (_what, wanted, refused) => {
    for (const lines of [undefined, "cilium: true"]) {
      const found = bounded(wanted, lines);
      expect(found.content).not.toHaveProperty("cilium");
      expect(found.addresses).toBeUndefined();
      expect(found.refused).toEqual([`the agent refused endpoints of Cilium in ${refused}`]);
    }
  });

  it("are never those of the floor's administrators, though the coordinator knows none", () => {
    const { content, refused } = bounded(two, "cilium: true\nguard: { admin: [10.42.1.5], ports: [22/tcp] }");
    expect(content).not.toHaveProperty("cilium");
    expect(refused).toEqual([
      "floor.yaml:3 refused endpoints of Cilium in 10.42.0.0/16: it overlaps 10.42.1.5, an admin range",
    ]);
  });
});
