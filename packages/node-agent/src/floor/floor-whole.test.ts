import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { DesiredContent, DesiredPolicy, Guard } from "@weft/shared/model/desired";
import { canonicalText } from "@weft/shared/plan/canonical";
import { emptyContent } from "../../../../test/support/desired.ts";
import { allow, endpoint, floored, origin } from "../../../../test/support/floored.ts";
import { applyFloor } from "./apply-floor.ts";
import { parseFloor } from "./parse-floor.ts";

describe("mode", () => {
  it("enforces what was to be watched only", () => {
    const { policy, elements, refused } = floored("mode: enforce\nboot: guards-only", {
      policy: {
        mode: "audit",
        boot: "open",
        services: [endpoint("web", 8080, { mode: "audit" })],
        mesh: [endpoint("web", 8080, { mode: "audit" })],
        ingress: [allow("10.77.0.12", 8080, { action: "deny", mode: "audit" })],
      },
    });
    expect(policy).toMatchObject({ mode: "enforce", boot: "guards-only" });
    for (const set of ["tcp_audit", "mesh_audit4", "in_tcp_watch4"]) expect(elements.has(set)).toBe(false);
    expect(elements.get("in_tcp_deny4")).toHaveLength(1);
    expect(refused).toEqual([
      "floor.yaml:2 refused mode: audit as the default",
      "floor.yaml:2 refused policy ops (mesh.yaml:12): audit",
      "floor.yaml:3 refused boot: open",
    ]);
  });
});

describe("names", () => {
  it("are served in its zones only, and the resolver is left alone where it says so", () => {
    const wanted = { dns: { zone: "example.com", mode: "file" as const, records: [] } };
    const other = floored("dns: { zones: [mesh.internal] }", wanted);
    expect(other.dns).toEqual({ zone: "example.com", mode: "off", upstreams: [], records: [] });
    expect(other.refused).toEqual(["floor.yaml:2 refused zone example.com; no names are served"]);
    expect(
      floored("dns: { zones: [mesh.internal] }", { dns: { zone: "shop.mesh.internal" } }).refused,
    ).toEqual([]);
    expect(floored("dns: { takeOver: never }", { dns: { mode: "file" } }).dns.mode).toBe("off");
  });

  it.each(["com", "local", "10.in-addr.arpa", "printer.local"])(
    "are not served in %s, floor or not",
    (zone) => {
      const base = emptyContent("web1");
      const { content, refusals } = applyFloor({ ...base, dns: { ...base.dns, zone } }, undefined);
      expect(content.dns.mode).toBe("off");
      expect(refusals).toMatchObject([{ line: 0 }]);
    },
  );

  it("outside their zone are left out, and so are services there", () => {
    const base = emptyContent("web1");
    const records = [
      { name: "web.mesh.internal", type: "A" as const, value: "10.77.0.11" },
      { name: "www.example.com", type: "A" as const, value: "10.77.0.11" },
      { name: "_http._tcp.web.mesh.internal", type: "SRV" as const, value: "0 0 80 www.example.com" },
    ];
    const { content, refusals } = applyFloor({ ...base, dns: { ...base.dns, records } }, undefined);
    expect(content.dns.records).toEqual(records.slice(0, 1));
    expect(refusals).toHaveLength(2);
  });
});

describe("a floor as a whole", () => {
  it("changes nothing of what lies within it, and nothing without one", () => {
    const base = emptyContent("web1");
    const { floor } = parseFloor("floor.yaml", "weft-floor: v1\n");
    for (const bound of [floor, undefined]) {
      const { content, refusals } = applyFloor(base, bound);
      expect(canonicalText(content)).toBe(canonicalText(base));
      expect(refusals).toEqual([]);
    }
  });

  it("names at most 50 refusals, and how many more there were; names from outside are cut", () => {
    const ingress = Array.from({ length: 60 }, (_, n) =>
      allow(`203.0.113.${n}`, 8080, { origin: { ...origin, policy: "p".repeat(5000), line: n } }),
    );
    const base = emptyContent("web1");
    const { floor } = parseFloor("floor.yaml", "weft-floor: v1\ningress: { from: [] }\n");
    const { refusals, leftOut } = applyFloor({ ...base, policy: { ...base.policy, ingress } }, floor);
    expect([refusals.length, leftOut]).toEqual([50, 10]);
    expect(refusals[0]?.policy).toHaveLength(160);
  });
});

/**
 * How each field of a desired state is bounded. Whoever adds one says it here, and in docs/floor.md: what is not looked at
 * is what a stolen coordinator uses.
 */
const contentBounds = {
  mesh: [],
  trustDomain: [],
  node: [],
  address: [],
  identity: ["users", "units"],
  policy: [],
  dns: ["dns.zones", "dns.upstreams", "takeOver", "nodes"],
  cilium: ["cilium: true", "units", "egress.never", "egress.to", "ingress.from", "ingress.never", "nodes"],
  etcdCluster: ["etcd: true"],
} as const satisfies Record<keyof DesiredContent, readonly string[]>;

const policyBounds = {
  enforcement: [],
  services: ["ingress.judged", "users"],
  ingress: ["ingress.never", "ingress.from", "nodes"],
  mesh: ["nodes"],
  egress: ["egress.never", "egress.to", "nodes", "users"],
  forward: ["forward"],
  guard: [],
  egressDefault: ["egress.default"],
  mode: ["mode"],
  boot: ["boot"],
  baseline: ["undeclared", "ingress.from", "mode"],
  ping: ["ingress.from", "mode"],
  endpoints: ["cilium: true"],
} as const satisfies Record<keyof DesiredPolicy, readonly string[]>;

const guardBounds = {
  admin: ["guard.admin", "guard.atMost", "ingress.from"],
  ports: ["guard.ports", "guard.atMost", "ingress.never"],
  coordinatorAddress: ["coordinator.addresses", "egress.to"],
  coordinatorPorts: ["coordinator.here"],
  isCoordinator: ["coordinator.here"],
  nodeAddresses: ["nodes", "guard.admin"],
  upstreams: ["dns.upstreams", "egress.to"],
  banned: ["guard.admin"],
} as const satisfies Record<keyof Guard, readonly string[]>;

describe("every field of the wire", () => {
  it("is bounded by something that is documented", () => {
    const page = readFileSync(join(import.meta.dirname, "../../../../docs/floor.md"), "utf8");
    const bounds = [contentBounds, policyBounds, guardBounds].flatMap((table) => Object.values(table).flat());
    for (const bound of bounds) expect(page).toContain(bound);
  });
});
