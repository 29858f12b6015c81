// The entries that make somebody a member or a client of the mesh's own etcd: Weft's own stay as they are, and nobody else has one.
import { describe, expect, it } from "@jest/globals";
import { etcdClientEntry, etcdMemberEntry, isEtcdEntry, isNameFor } from "./etcd-entry.ts";
import { auditEntries, diffEntries, isEmptyDiff } from "./reconcile-entries.ts";
import type { FoundEntry, RegistrationEntry } from "./spire-server.ts";

const plain = {
  admin: false,
  downstream: false,
  x509SvidTtlSeconds: 0,
  jwtSvidTtlSeconds: 0,
  dnsNames: [],
  federatesWith: [],
  storeSvid: false,
  hint: "",
  expiresAt: 0,
};
const asFound = (entry: RegistrationEntry, more: Partial<FoundEntry> = {}): FoundEntry => ({
  ...plain,
  ...entry,
  ...more,
});

const member = etcdMemberEntry("td.test", "hub", "mesh.internal");
const client = etcdClientEntry("td.test", "web1");
const selectors = [
  { type: "unix", value: "uid:0" },
  { type: "systemd", value: "id:weft-node-agent.service" },
];

describe("an entry for etcd", () => {
  it("is for the node's agent alone, and has the names by which etcd knows it", () => {
    expect(member).toEqual({
      id: "weft.hub.etcd.member",
      spiffeId: "spiffe://td.test/weft/etcd/hub",
      parentId: "spiffe://td.test/spire/agent/x509pop/hub",
      selectors,
      dnsNames: ["hub.node.mesh.internal", "weft-etcd.mesh.internal", "localhost"],
    });
    expect(client).toEqual({
      id: "weft.web1.etcd.client",
      spiffeId: "spiffe://td.test/weft/cilium/web1",
      parentId: "spiffe://td.test/spire/agent/x509pop/web1",
      selectors,
      dnsNames: ["web1.cilium.weft", "clients.weft"],
    });
  });

  it("is wanted in spite of its reserved ID, left alone when it is there, and no alarm", () => {
    expect(diffEntries([member, client], []).create).toEqual([member, client]);
    const found = [member, client].map((entry) =>
      asFound({ ...entry, selectors: entry.selectors.toReversed() }),
    );
    expect(isEmptyDiff(diffEntries([member, client], found))).toBe(true);
    expect(auditEntries(found)).toEqual([]);
    expect(diffEntries([], found).delete).toEqual(["weft.hub.etcd.member", "weft.web1.etcd.client"]);
  });

  const alterations: readonly (readonly [string, Partial<RegistrationEntry>])[] = [
    ["another ID", { spiffeId: "spiffe://td.test/weft/etcd/api1" }],
    ["the coordinator's ID", { spiffeId: "spiffe://td.test/weft/coordinator" }],
    ["another trust domain", { spiffeId: "spiffe://other.test/weft/etcd/hub" }],
    ["another node's agent", { parentId: "spiffe://td.test/spire/agent/x509pop/web1" }],
    ["a selector less", { selectors: selectors.slice(0, 1) }],
    ["another selector", { selectors: [{ type: "unix", value: "user:web" }] }],
    ["no names", { dnsNames: [] }],
    ["a name more", { dnsNames: [...(member.dnsNames ?? []), "web1.cilium.weft"] }],
    ["names in another order", { dnsNames: member.dnsNames?.toReversed() ?? [] }],
    ["a star", { dnsNames: ["hub.node.mesh.internal", "*.mesh.internal", "localhost"] }],
  ];
  it.each(alterations)("with %s is an alarm, and is set back", (_what, change) => {
    const altered = { ...member, ...change };
    expect(isEtcdEntry(altered)).toBe(false);
    expect(diffEntries([member], [asFound(altered)]).update).toEqual([member]);
    expect(auditEntries([asFound(altered)])).toHaveLength(1);
    expect(() => diffEntries([altered], [])).toThrow();
  });

  it("of a zone that is no more is set back to the zone there is", () => {
    const old = asFound(etcdMemberEntry("td.test", "hub", "old.internal"));
    expect(diffEntries([member], [old]).update).toEqual([member]);
  });

  it("with power over the server is an alarm still", () => {
    expect(auditEntries([asFound(member, { admin: true })])).toHaveLength(1);
  });
});

describe("an entry of somebody else", () => {
  const foreign = (more: Partial<FoundEntry>) =>
    asFound({ id: "x", spiffeId: "spiffe://td.test/ops", parentId: "spiffe://td.test/p", selectors }, more);
  const whyOf = (more: Partial<FoundEntry>) =>
    auditEntries([asFound(member), asFound(client), foreign(more)]).map(({ id, why }) => `${id}: ${why}`);

  it("is alarming under such an ID, whatever else it is", () => {
    expect(whyOf({ spiffeId: "spiffe://td.test/weft/etcd/x" })).toEqual([
      "x: paths under /weft are Weft's own",
    ]);
    expect(auditEntries([asFound({ ...member, id: "x" })])[0]?.why).toBe("paths under /weft are Weft's own");
  });

  it.each([
    ["hub.node.mesh.internal", "hub.node.mesh.internal"],
    ["HUB.node.mesh.internal", "hub.node.mesh.internal"],
    ["*.mesh.internal", "weft-etcd.mesh.internal"],
    ["web1.cilium.weft", "web1.cilium.weft"],
    ["clients.weft", "clients.weft"],
    ["root", "root"],
  ])("is alarming with the name %s", (name, host) => {
    expect(whyOf({ dnsNames: ["ops.example", name] })).toEqual([
      `x: in the mesh's etcd its holder is ${host}`,
    ]);
    // where there is no such etcd, nobody asks
    expect(auditEntries([foreign({ dnsNames: [name] })])).toEqual([]);
  });

  it("may have any other name", () => {
    expect(whyOf({ dnsNames: ["localhost", "ops.mesh.internal", "web2.cilium.weft", "*.example"] })).toEqual(
      [],
    );
  });

  it("never gets a name by Weft", () => {
    const service = { ...client, id: "weft.web1.web", spiffeId: "spiffe://td.test/web" };
    expect(() => diffEntries([service], [])).toThrow("has DNS names");
  });
});

it("a star stands for one label", () => {
  expect(isNameFor("*.a.b", "x.a.b")).toBe(true);
  expect(isNameFor("*.a.b", "x.y.a.b")).toBe(false);
  expect(isNameFor("*.a.b", "a.b")).toBe(false);
});
