import { describe, expect, it } from "@jest/globals";
import { allow, endpoint, floored, letOut, origin, tcp } from "../../../../test/support/floored.ts";

describe("ingress", () => {
  it("lets in whom it names, a wider range as far as it goes, and names what it refused", () => {
    const { policy, refused } = floored("ingress: { from: [10.77.0.0/24] }", {
      policy: {
        ingress: [
          allow("10.77.0.12", 8080, { from: "api" }),
          allow("0.0.0.0/0", 8080),
          allow("203.0.113.0/24", 8080),
        ],
      },
    });
    expect(policy.ingress.map(({ from, source }) => `${from} ${source}`)).toEqual([
      "api 10.77.0.12",
      "10.77.0.0/24 10.77.0.0/24",
    ]);
    expect(refused).toEqual([
      "floor.yaml:2 refused policy ops (mesh.yaml:12): from 0.0.0.0/0 to 8080/tcp; only 10.77.0.0/24 is let be",
      "floor.yaml:2 refused policy ops (mesh.yaml:12): from 203.0.113.0/24 to 8080/tcp",
    ]);
  });

  it("keeps a port shut that no mesh names, to everybody, with its own line in the kernel", () => {
    const { elements, refused } = floored("ingress: { never: [5432/tcp] }", {});
    expect(refused).toEqual([]);
    expect(elements.get("tcp_ports")).toEqual(['5432 comment "floor:closed"']);
    expect(elements.get("in_tcp_deny4")).toEqual(['5432 . 0.0.0.0/0 comment "floor /etc/weft/floor.yaml:2"']);
    expect(elements.get("in_tcp_deny6")).toEqual(['5432 . ::/0 comment "floor /etc/weft/floor.yaml:2"']);
  });

  it("keeps it shut though a policy opens it or a range around it", () => {
    const { elements, refused } = floored("ingress: { never: [5432/tcp] }", {
      policy: {
        services: [endpoint("db", 5000, { port: tcp(5000, 6000) })],
        ingress: [allow("::/0", 5000, { port: tcp(5000, 6000) })],
      },
    });
    expect(refused).toEqual(["floor.yaml:2 refused policy ops (mesh.yaml:12): 5432/tcp opened"]);
    expect(elements.get("in_tcp_deny6")).toHaveLength(1);
  });

  it("keeps a port judged that the mesh leaves out: it would be as open as the machine leaves it", () => {
    const left = floored("ingress: { judged: [8080/tcp] }", {});
    expect(left.elements.get("tcp_ports")).toEqual(['8080 comment "floor:closed"']);
    expect(left.refused).toEqual(["floor.yaml:2 refused 8080/tcp left out; it stays closed"]);
    const named = floored("ingress: { judged: [8080/tcp] }", {
      policy: { services: [endpoint("web", 8080)] },
    });
    expect(named.refused).toEqual([]);
    expect(named.policy.services).toHaveLength(1);
  });
});

describe("what no service declares", () => {
  const rule = { from: "0.0.0.0/0", source: "0.0.0.0/0", origin };
  const baseline = {
    mode: "audit" as const,
    origin: { ...origin, policy: "baseline" },
    allow: [{ ...rule, port: tcp(9100) }],
  };

  it("stays closed where the floor says so, though the mesh has no baseline", () => {
    const { elements, refused } = floored("ingress: { undeclared: closed }", {});
    expect(elements.get("baseline")).toHaveLength(2);
    expect(elements.get("baseline")?.[0]).toContain("floor /etc/weft/floor.yaml:2");
    expect(refused).toEqual([
      "floor.yaml:2 refused ports that no service declares left open; they stay closed",
    ]);
  });

  it("is opened to whom the floor lets in, and never watched only", () => {
    const ping = [
      { ...rule, action: "allow" as const, mode: "enforce" as const },
      { ...rule, action: "deny" as const, mode: "audit" as const },
    ];
    const { policy, refused } = floored("mode: enforce\ningress: { from: [10.77.0.0/24] }", {
      policy: { baseline, ping },
    });
    expect(policy.baseline).toMatchObject({ mode: "enforce", allow: [{ source: "10.77.0.0/24" }] });
    expect(policy.ping?.map(({ source, mode }) => `${source} ${mode}`)).toEqual([
      "10.77.0.0/24 enforce",
      "0.0.0.0/0 enforce",
    ]);
    expect(refused).toHaveLength(4);
  });

  it("takes no address for a node's that lies elsewhere, and any for any", () => {
    const allow = [
      { ...rule, from: "evil", source: "203.0.113.66", port: undefined },
      { ...rule, from: "any", source: "0.0.0.0/0", port: tcp(9100) },
    ];
    const { policy } = floored("nodes: [10.77.0.0/24]", { policy: { baseline: { ...baseline, allow } } });
    expect(policy.baseline?.allow).toEqual(allow.slice(1));
  });
});

describe("guards", () => {
  const own = "guard: { admin: [192.0.2.0/28], ports: [22/tcp] }";

  it("cannot be taken away: not by leaving them out, and not by calling an administrator's machine a node", () => {
    const { guard, elements, refused } = floored(own, {
      guard: { admin: [], ports: [], nodeAddresses: ["192.0.2.5"] },
      policy: { mesh: [endpoint("trap", 9999, { address: "192.0.2.6" })] },
    });
    expect(refused).toEqual([]);
    expect(guard.admin).toEqual(["192.0.2.0/28", "192.0.2.5", "192.0.2.6"]);
    expect(elements.get("admin_host4")).toHaveLength(2);
    expect(guard.ports).toEqual([tcp(22)]);
  });

  it("cannot be banned away; whoever else is banned stays so", () => {
    const { guard, refused } = floored(own, { guard: { banned: ["192.0.2.5", "10.77.0.13"] } });
    expect(guard.banned).toEqual(["10.77.0.13"]);
    expect(refused).toEqual(["floor.yaml:2 refused a ban of 192.0.2.5"]);
  });

  it("cannot be widened beyond what it says", () => {
    const { guard, refused } = floored(
      `guard: { admin: [192.0.2.0/28], ports: [22/tcp], atMost: { admin: [192.0.2.0/24], ports: [22/tcp] } }`,
      {
        guard: { admin: ["0.0.0.0/0", "192.0.2.64/26"], ports: [tcp(22), tcp(5432)] },
      },
    );
    expect(guard.admin).toEqual(["192.0.2.0/24", "192.0.2.0/28", "192.0.2.64/26"]);
    expect(guard.ports).toEqual([tcp(22)]);
    expect(refused).toEqual([
      "floor.yaml:2 refused admin range 0.0.0.0/0; only 192.0.2.0/24, 192.0.2.0/28 is let be",
      "floor.yaml:2 refused guard port 5432/tcp",
    ]);
  });

  it("come before a port that is never open, for the floor's own administrators and nobody else", () => {
    const { guard, refused } = floored(`ingress: { never: [22/tcp, 5432/tcp] }\n${own}`, {
      guard: { admin: ["203.0.113.0/24", "192.0.2.8"], ports: [tcp(22), tcp(5432)] },
    });
    expect(guard.admin).toEqual(["192.0.2.8", "192.0.2.0/28"]);
    expect(guard.ports).toEqual([tcp(22)]);
    expect(refused).toEqual([
      "floor.yaml:2 refused admin range 203.0.113.0/24",
      "floor.yaml:2 refused guard port 5432/tcp",
    ]);
  });
});

describe("ways out", () => {
  it("go where it says, mesh or not", () => {
    const { policy, refused } = floored("egress: { to: [10.77.0.0/24] }", {
      policy: {
        egress: [
          letOut("10.77.0.12", { to: "api" }),
          letOut("203.0.113.66", { to: "evil" }),
          letOut("0.0.0.0/0"),
        ],
      },
    });
    expect(policy.egress.map(({ destination }) => destination)).toEqual(["10.77.0.12", "10.77.0.0/24"]);
    expect(refused).toContain("floor.yaml:2 refused policy ops (mesh.yaml:12): to evil (203.0.113.66)");
  });

  it("never lead somewhere, for any process, though no mesh speaks of it", () => {
    const { elements } = floored("egress: { never: [169.254.169.254] }", {});
    expect(elements.get("out_node_deny4")).toEqual([
      '169.254.169.254 . tcp . 1-65535 comment "floor /etc/weft/floor.yaml:2"',
      '169.254.169.254 . udp . 1-65535 comment "floor /etc/weft/floor.yaml:2"',
    ]);
  });

  it("stay closed by default for the users it names, though the mesh names them no more", () => {
    const { policy, elements, refused } = floored("users: [web]\negress: { default: deny }", {});
    expect(policy.egressDefault).toBe("deny");
    expect(elements.get("outside_uids")).toEqual(['uid-web comment "floor"']);
    expect(refused).toEqual(["floor.yaml:3 refused egress: allow as the default"]);
  });

  it("do not open by way of the coordinator's or the resolver's address", () => {
    const { guard, dns, elements, refused } = floored("egress: { to: [10.77.0.0/24] }", {
      guard: {
        coordinatorAddress: "203.0.113.66",
        coordinatorPorts: [tcp(1, 65535)],
        upstreams: ["203.0.113.53"],
      },
      dns: { upstreams: ["203.0.113.53", "10.77.0.53"] },
    });
    expect(guard).toMatchObject({ coordinatorAddress: "127.0.0.1", coordinatorPorts: [], upstreams: [] });
    expect(elements.has("guard_out4")).toBe(false);
    expect(dns.upstreams).toEqual(["10.77.0.53"]);
    expect(refused).toHaveLength(2);
  });

  it("for a machine behind this one are those it says", () => {
    const { policy, refused } = floored("forward: { from: [172.17.0.0/16] }", {
      policy: { forward: [allow("0.0.0.0/0", 8080)] },
    });
    expect(policy.forward.map(({ source }) => source)).toEqual(["172.17.0.0/16"]);
    expect(refused).toHaveLength(1);
  });
});

describe("who and where", () => {
  it("closes the port of a service whose user or unit it does not name", () => {
    const change = {
      policy: {
        services: [endpoint("web", 8080, { user: "www-data" })],
        ingress: [allow("10.77.0.12", 8080)],
        egress: [
          letOut("10.77.0.12", { user: "www-data" }),
          letOut("10.77.0.13", { user: "root", service: "x" }),
        ],
      },
      identity: {
        workloads: [
          { service: "web", spiffeId: "spiffe://mesh.internal/web", user: "www-data", unit: "web.service" },
        ],
      },
    };
    const { policy, identity, refused } = floored("users: [web]", change);
    expect(policy.services).toEqual([endpoint("web", 8080, { user: "" })]);
    expect([policy.ingress, policy.egress, identity.workloads]).toEqual([[], [], []]);
    expect(refused).toEqual([
      "floor.yaml:2 refused user www-data as service web",
      "floor.yaml:2 refused policy ops (mesh.yaml:12): user root",
      "floor.yaml:2 refused policy ops (mesh.yaml:12): user www-data",
    ]);
    expect(floored("units: [api.service]", change).refused).toEqual([
      "floor.yaml:2 refused unit web.service as service web",
    ]);
  });

  it("takes no address for a node's that lies elsewhere", () => {
    const { policy, dns, guard, refused } = floored("nodes: [10.77.0.0/24]", {
      policy: {
        mesh: [endpoint("web", 8080), endpoint("evil", 443, { address: "203.0.113.66" })],
        ingress: [allow("203.0.113.66", 8080, { from: "evil" })],
      },
      guard: { nodeAddresses: ["10.77.0.11", "172.17.0.5"] },
      dns: {
        records: [
          { name: "web.mesh.internal", type: "A", value: "203.0.113.66" },
          { name: "api.mesh.internal", type: "A", value: "10.77.0.12" },
        ],
      },
    });
    expect(policy.mesh.map(({ service }) => service)).toEqual(["web"]);
    expect(policy.ingress).toEqual([]);
    expect(guard.nodeAddresses).toEqual(["10.77.0.11"]);
    expect(dns.records.map(({ name }) => name)).toEqual(["api.mesh.internal"]);
    expect(refused).toHaveLength(4);
  });

  it("knows by itself whether the coordinator is here: its ports come before every rule, one of them open to all", () => {
    const claim = { guard: { isCoordinator: true, coordinatorPorts: [tcp(7443), tcp(5432), tcp(8081)] } };
    expect(floored("mode: enforce", claim).guard.isCoordinator).toBe(false);
    const hub = floored("coordinator: { here: [7443-7444/tcp, 8081/tcp] }", claim);
    expect(hub.guard.isCoordinator).toBe(false);
    expect(hub.refused).toEqual(["floor.yaml:2 refused the coordinator on this node, at 5432/tcp"]);
    const honest = { guard: { isCoordinator: true, coordinatorPorts: [tcp(7443), tcp(7444), tcp(8081)] } };
    expect(floored("coordinator: { here: [7443-7444/tcp, 8081/tcp] }", honest).guard.isCoordinator).toBe(
      true,
    );
  });
});
