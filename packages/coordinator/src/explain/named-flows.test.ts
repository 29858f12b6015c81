import { describe, expect, it } from "@jest/globals";
import type { ObservedFlow } from "@weft/shared/model/observation";
import { withBans } from "../compile/bans.ts";
import { compileMesh } from "../compile/compile.ts";
import type { NodeObservations } from "../fleet/observations.ts";
import { loadMesh } from "../mesh/validate.ts";
import { identityText } from "./identify.ts";
import { namedFlows } from "./named-flows.ts";

const now = new Date("2026-11-22T12:00:00Z");
const text = `weft: v1
mesh: shop
trustDomain: mesh.internal
nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11 }
  api1: { address: 10.77.0.12 }
services:
  web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp } }
policies:
  - { name: web-to-api, from: [web], to: api }
  - { name: no-guests, from: [{ cidr: 192.0.2.0/24 }], to: api, action: deny }
`;
const { mesh } = loadMesh([{ name: "mesh.yaml", text }], { coordinatorNode: "hub" });
if (mesh === undefined) throw new Error("the sample has problems");
const place = { node: "hub", address: "10.77.0.10", agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
const compiled = compileMesh(mesh, place);

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
const of = (node: string, ...flows: ObservedFlow[]): NodeObservations => ({
  node,
  flows,
  fullSets: [],
  leftOut: 0,
  spent: [],
  memorySince: now,
  heard: now,
});
const named = (...observed: NodeObservations[]) => namedFlows(mesh, compiled, observed);
const toApi = { direction: "out", destination: "10.77.0.12" } as const;

describe("a flow", () => {
  it("between nodes is one flow with two witnesses, the sender by its user", () => {
    const flows = named(
      of("web1", flow({ ...toApi, uid: 998, user: "web", packets: 4 })),
      of("api1", flow({ source: "10.77.0.11", packets: 4 })),
    );
    expect(flows).toHaveLength(1);
    expect(flows[0]).toMatchObject({
      kind: "allowed",
      source: { kind: "service", name: "web", spiffeId: "spiffe://mesh.internal/web" },
      destination: { kind: "service", name: "api", node: "api1" },
      portName: "http",
      count: 4,
      witness: "kernels of web1 and api1",
      wouldAllow: "",
    });
  });

  it("that one end alone tells of has one witness", () => {
    expect(named(of("web1", flow({ ...toApi, user: "web", uid: 998 })))[0]?.witness).toBe("kernel of web1");
  });

  it("that was refused at either end is no allowed flow", () => {
    const asked = flow({ ...toApi, uid: 2, user: "mallory" });
    const home = named(of("web1", asked, { ...asked, kind: "denied" }));
    expect(home.map(({ kind }) => kind)).toEqual(["denied"]);
    const away = named(of("web1", asked), of("api1", flow({ kind: "denied", source: "10.77.0.11" })));
    expect(away.map(({ kind }) => kind)).toEqual(["denied"]);
  });

  it("that was refused once and passes now is allowed again", () => {
    const earlier = new Date(now.getTime() - 60_000);
    const kinds = named(
      of(
        "api1",
        flow({ source: "10.77.0.9" }),
        flow({ kind: "denied", source: "10.77.0.9", lastSeen: earlier }),
      ),
    ).map(({ kind }) => kind);
    expect(kinds).toEqual(["allowed", "denied"]);
  });
});

describe("a denial", () => {
  const denied = (more: Partial<ObservedFlow>) => flow({ kind: "denied", ...more });

  it("names who has no identity, and the line that would allow it", () => {
    const [found] = named(of("api1", denied({ source: "10.77.0.9" })));
    expect(found && identityText(found.source)).toBe("no identity, 10.77.0.9");
    expect(found?.origin).toBeUndefined();
    expect(found?.wouldAllow).toBe(
      "- { name: 10-77-0-9-to-api, from: [{ cidr: 10.77.0.9 }], to: api, ports: [http] }",
    );
  });

  it("names the user of a node, and the policy that denies", () => {
    const [mallory] = named(of("web1", denied({ ...toApi, uid: 2666, user: "mallory" })));
    expect(mallory && identityText(mallory.source)).toBe("user mallory on web1");
    const [guest] = named(of("api1", denied({ source: "192.0.2.7" })));
    expect(guest).toMatchObject({ origin: { policy: "no-guests", line: 13 }, wouldAllow: "" });
  });

  it("of a port nobody declares has no line", () => {
    const [found] = named(of("hub", denied({ source: "10.77.0.66", port: 7443 })));
    expect(found).toMatchObject({ destination: { kind: "node", name: "hub" }, wouldAllow: "" });
  });
});

describe("what is counted on trial", () => {
  const trial = text
    .replace("to: api }\n", "to: api, mode: audit }\n")
    .replace("action: deny }", "action: deny, mode: audit }")
    .concat("  - { name: no-net, from: [{ cidr: 192.0.2.0/28 }], to: api, action: deny, mode: audit }\n");
  const { mesh: tried } = loadMesh([{ name: "mesh.yaml", text: trial }], { coordinatorNode: "hub" });
  if (tried === undefined) throw new Error("the sample has problems");
  const audited = (node: string, more: Partial<ObservedFlow>) => {
    const told = of(node, flow({ kind: "audited", packets: 7, ...more }));
    const found = namedFlows(tried, compileMesh(tried, place), [told]);
    return new Set(found.map(({ kind, origin, count }) => `${kind} ${origin?.policy} ${count}`));
  };

  it("counts for each policy on trial that would refuse it", () => {
    // two that deny, and the one that opens the port and names somebody else
    expect(audited("api1", { source: "192.0.2.7" })).toEqual(
      new Set(["audited no-guests 7", "audited no-net 7", "audited web-to-api 7"]),
    );
    expect(audited("api1", { source: "192.0.2.77" })).toEqual(
      new Set(["audited no-guests 7", "audited web-to-api 7"]),
    );
    expect(audited("web1", { ...toApi, uid: 2, user: "mallory" })).toEqual(new Set(["audited web-to-api 7"]));
  });

  it("is the baseline's, and the mesh's default, too", () => {
    const closed = `${text}guard: { admin: [192.0.2.0/28] }\nbaseline: { inbound: deny, mode: audit }\n`;
    const { mesh: shut } = loadMesh([{ name: "mesh.yaml", text: closed }], { coordinatorNode: "hub" });
    const asked = of("api1", flow({ kind: "audited", source: "10.77.0.9", port: 9100 }));
    expect(namedFlows(shut!, compileMesh(shut!, place), [asked])).toMatchObject([
      { kind: "audited", origin: { policy: "baseline" }, wouldAllow: expect.stringContaining("9100/tcp") },
    ]);
    const byDefault = text.replace(/policies:[\s\S]*/, "defaults: { mode: audit }\n");
    const { mesh: open } = loadMesh([{ name: "mesh.yaml", text: byDefault }], { coordinatorNode: "hub" });
    const heard = of("api1", flow({ kind: "audited", source: "10.77.0.9" }));
    expect(namedFlows(open!, compileMesh(open!, place), [heard])).toMatchObject([{ origin: undefined }]);
  });
});

describe("what no service declares", () => {
  const closed = `${text}guard: { admin: [192.0.2.0/28] }\nbaseline: { inbound: deny }\n`;
  const { mesh: shut } = loadMesh([{ name: "mesh.yaml", text: closed }], { coordinatorNode: "hub" });
  if (shut === undefined) throw new Error("the sample has problems");
  const flows = (more: Partial<ObservedFlow>) =>
    namedFlows(shut, compileMesh(shut, place), [
      of("api1", flow({ kind: "denied", source: "10.77.0.9", ...more })),
    ]);

  it("is refused by the baseline, and the line that would open it is one of the baseline", () => {
    expect(flows({ port: 9100 })).toMatchObject([
      {
        origin: { policy: "baseline", file: "mesh.yaml", line: 15 },
        wouldAllow: "- { nodes: [api1], allow: [{ from: [{ cidr: 10.77.0.9 }], ports: [9100/tcp] }] }",
      },
    ]);
  });

  it("is a ping that a policy can allow", () => {
    expect(flows({ protocol: "icmp", port: 0 })).toMatchObject([
      {
        protocol: "icmp",
        wouldAllow:
          "- { name: 10-77-0-9-to-api1, from: [{ cidr: 10.77.0.9 }], to: node:api1, ports: [icmp] }",
      },
    ]);
  });

  it("from or to a banned node was refused by the ban, and no line of the file would allow it", () => {
    const refused = { kind: "denied", source: "10.77.0.11", port: 22 } as const;
    const observed = [of("api1", flow(refused))];
    const [banned] = namedFlows(mesh, withBans(compiled, ["10.77.0.11"]), observed);
    expect(banned).toMatchObject({ isBanned: true, wouldAllow: "" });
    expect(namedFlows(mesh, compiled, observed)[0]).toMatchObject({ isBanned: false });
    const before = [of("web1", flow({ ...toApi, uid: 998, user: "web" }))];
    expect(namedFlows(mesh, withBans(compiled, ["10.77.0.12"]), before)[0]).toMatchObject({
      kind: "allowed",
      isBanned: false,
    });
  });
});
