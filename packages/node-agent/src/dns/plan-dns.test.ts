import { describe, expect, it } from "@jest/globals";
import type { DesiredContent, DesiredDns } from "@weft/shared/model/desired";
import type { Step } from "@weft/shared/model/step";
import { corefilePath, renderCorefile } from "@weft/shared/render/corefile";
import { renderZone, serialOf } from "@weft/shared/render/zone";
import fc from "fast-check";
import { emptyContent } from "../../../../test/support/desired.ts";
import type { DnsDecision } from "./decide-dns-mode.ts";
import type { DnsObserved } from "./observe-dns.ts";
import { dnsConditions, planDns, probeName } from "./plan-dns.ts";

const zonePath = "/etc/weft/dns/mesh.internal.zone";
const records = [
  { name: "web1.node.mesh.internal", type: "A", value: "10.77.0.11" },
  { name: "api.mesh.internal", type: "A", value: "10.77.0.12" },
] as const;

function wanted(dns: Partial<DesiredDns> = {}): DesiredContent {
  const base = emptyContent("web1");
  return { ...base, dns: { ...base.dns, records, ...dns } };
}

const untouched: DnsObserved = {
  componentPresent: false,
  unit: { active: "inactive", enabled: false, exists: true },
  corefile: undefined,
  zoneFiles: [],
  original: undefined,
  resolvConf: { kind: "original" },
  link: { exists: false, inForce: false },
};
const off: DnsDecision = {
  mode: "off",
  why: "because",
  condition: undefined,
  upstreams: [],
  endpointUpstreams: [],
  keep: false,
};
const file: DnsDecision = { ...off, mode: "file", upstreams: ["192.0.2.53"] };
const link: DnsDecision = { ...off, mode: "resolved-link" };
const serving: DnsObserved = {
  ...untouched,
  componentPresent: true,
  unit: { active: "active", enabled: true, exists: true },
  corefile: renderCorefile("mesh.internal", ["192.0.2.53"]),
  zoneFiles: [{ path: zonePath, text: renderZone("mesh.internal", records, 7) }],
};
const original = { mode: "file", zone: "mesh.internal", file: { kind: "missing" }, written: "x" } as const;
const taken: DnsObserved = { ...serving, original, resolvConf: { kind: "ours" } };
const linked: DnsObserved = {
  ...serving,
  corefile: renderCorefile("mesh.internal", []),
  original: { mode: "resolved-link", zone: "mesh.internal" },
  link: { exists: true, inForce: true },
};
const names = (steps: readonly Step[]) =>
  steps.map((step) => ("path" in step.args ? `${step.kind} ${step.args.path}` : step.kind));

describe("planDns", () => {
  it("brings up the resolver before it points the host at it", () => {
    expect(planDns(wanted(), untouched, file, 100)).toEqual([
      { kind: "fetchComponent", args: { component: "coredns" } },
      {
        kind: "writeFile",
        args: { path: zonePath, mode: 0o644, text: renderZone("mesh.internal", records, 100) },
      },
      { kind: "writeFile", args: { path: corefilePath, mode: 0o644, text: serving.corefile } },
      { kind: "enableUnit", args: { unit: "weft-dns.service", restart: true } },
      {
        kind: "takeResolver",
        args: {
          mode: "file",
          zone: "mesh.internal",
          upstreams: ["192.0.2.53"],
          probe: "web1.node.mesh.internal",
        },
      },
    ]);
  });

  it("serves services in namespaces as well, at the node's own address", () => {
    const cilium = {
      etcd: { members: [], ca: undefined, certificate: undefined, key: undefined },
      range: "10.42.1.0/24",
      ranges: "10.42.0.0/16",
      endpoints: [],
    };
    const behind = { ...link, endpointUpstreams: ["127.0.0.53"] };
    expect(planDns({ ...wanted(), cilium }, linked, behind, 100)).toEqual([
      {
        kind: "writeFile",
        args: {
          path: corefilePath,
          mode: 0o644,
          text: renderCorefile("mesh.internal", [], {
            address: wanted().address,
            range: "10.42.1.0/24",
            upstreams: ["127.0.0.53"],
          }),
        },
      },
      { kind: "enableUnit", args: { unit: "weft-dns.service", restart: true } },
    ]);
    expect(planDns(wanted(), linked, behind, 100)).toEqual([]);
  });

  it.each([
    ["a taken file", taken, file],
    ["a link in force", linked, link],
    ["a host left alone", { ...serving, corefile: renderCorefile("mesh.internal", []) }, off],
  ])("is empty for %s", (_what, observed, decision) => {
    expect(planDns(wanted(), observed, decision, 100)).toEqual([]);
  });

  it("changes a zone by its serial alone: no restart", () => {
    const more = [...records, { name: "new.mesh.internal", type: "A", value: "10.77.0.13" }] as const;
    const steps = planDns(wanted({ records: more }), taken, file, 100);
    expect(steps).toEqual([
      {
        kind: "writeFile",
        args: { path: zonePath, mode: 0o644, text: renderZone("mesh.internal", more, 100) },
      },
    ]);
  });

  it("gives a changed zone a serial it did not have, whatever the clock says", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        (before, clock) => {
          const zoneFiles = [{ path: zonePath, text: renderZone("mesh.internal", [], before) }];
          const step = planDns(wanted(), { ...taken, zoneFiles }, file, clock)[0];
          const after = step?.kind === "writeFile" ? serialOf(step.args.text) : undefined;
          expect(after).toBeGreaterThanOrEqual(1);
          expect(after).not.toBe(before);
        },
      ),
    );
  });

  it("puts right a zone file that somebody edited", () => {
    const zoneFiles = [
      { path: zonePath, text: `${renderZone("mesh.internal", records, 7)}x 5 IN A 192.0.2.66\n` },
    ];
    expect(names(planDns(wanted(), { ...taken, zoneFiles }, file, 3))).toEqual([`writeFile ${zonePath}`]);
  });

  it("restarts for a changed Corefile", () => {
    const steps = planDns(wanted(), taken, { ...file, upstreams: ["192.0.2.54"] }, 100);
    expect(names(steps)).toEqual([`writeFile ${corefilePath}`, "enableUnit"]);
    expect(steps[1]?.args).toEqual({ unit: "weft-dns.service", restart: true });
  });

  it("starts a stopped unit without more", () => {
    const steps = planDns(
      wanted(),
      { ...taken, unit: { active: "failed", enabled: true, exists: true } },
      file,
      100,
    );
    expect(steps).toEqual([{ kind: "enableUnit", args: { unit: "weft-dns.service", restart: false } }]);
  });

  it("makes the link anew after a reboot", () => {
    expect(
      names(planDns(wanted(), { ...linked, link: { exists: false, inForce: false } }, link, 100)),
    ).toEqual(["takeResolver"]);
  });

  it("gives back before it takes in another way, and stops forwarding after", () => {
    expect(names(planDns(wanted(), taken, link, 100))).toEqual([
      "giveResolver",
      `writeFile ${corefilePath}`,
      "enableUnit",
      "takeResolver",
    ]);
  });

  it("gives everything back when the mesh file says off", () => {
    expect(names(planDns(wanted({ mode: "off" }), taken, off, 100))).toEqual([
      "giveResolver",
      "disableUnit",
      `removeFile ${corefilePath}`,
      `removeFile ${zonePath}`,
    ]);
    expect(planDns(wanted({ mode: "off" }), untouched, off, 100)).toEqual([]);
  });

  it("serves the zone, but takes nothing, on a host it must leave alone", () => {
    expect(names(planDns(wanted(), untouched, off, 100))).not.toContain("takeResolver");
    expect(names(planDns(wanted(), untouched, off, 100))).toContain("enableUnit");
  });

  it("does nothing to a takeover while the evidence is inconclusive", () => {
    const unclear = { ...off, keep: true };
    expect(planDns(wanted(), taken, unclear, 100)).toEqual([]);
    expect(planDns(wanted(), linked, unclear, 100)).toEqual([]);
  });

  it.each([
    ["foreign", { ...taken, resolvConf: { kind: "foreign", what: "it is NetworkManager's" } }],
    ["edited", { ...taken, resolvConf: { kind: "edited" } }],
  ] as const)("leaves a resolv.conf that is %s, and says so", (_what, observed) => {
    expect(planDns(wanted(), observed, file, 100)).toEqual([]);
    expect(dnsConditions(observed, file)).toEqual([{ code: "DNS_DRIFTED", detail: expect.any(String) }]);
  });

  it("cleans up leftovers without a record before it takes", () => {
    const leftover = { ...serving, resolvConf: { kind: "edited" } } as const;
    expect(names(planDns(wanted(), leftover, file, 100))).toEqual(["giveResolver", "takeResolver"]);
    const stray = { ...serving, link: { exists: true, inForce: true } };
    expect(names(planDns(wanted(), stray, { ...off, upstreams: ["192.0.2.53"] }, 100))).toEqual([
      "giveResolver",
    ]);
  });

  it("moves to a new zone and drops the old file", () => {
    const moved = wanted({
      zone: "shop.internal",
      records: [{ name: "web1.node.shop.internal", type: "A", value: "10.77.0.11" }],
    });
    expect(names(planDns(moved, taken, file, 100))).toEqual([
      "writeFile /etc/weft/dns/shop.internal.zone",
      `writeFile ${corefilePath}`,
      "enableUnit",
      `removeFile ${zonePath}`,
      "takeResolver",
    ]);
  });

  it("takes nothing when no name could prove it", () => {
    expect(names(planDns(wanted({ records: [] }), untouched, file, 100))).not.toContain("takeResolver");
  });
});

it("probes with the node's own name, else with any that has an address", () => {
  expect(probeName("web1", wanted().dns)).toBe("web1.node.mesh.internal");
  expect(probeName("other", wanted().dns)).toBe("api.mesh.internal");
  expect(probeName("web1", wanted({ records: [] }).dns)).toBeUndefined();
});

it("reports why a host was left alone", () => {
  const decision: DnsDecision = { ...off, condition: "DNS_NOT_TAKEN", why: "NetworkManager owns it" };
  expect(dnsConditions(untouched, decision)).toEqual([
    { code: "DNS_NOT_TAKEN", detail: "NetworkManager owns it" },
  ]);
});
