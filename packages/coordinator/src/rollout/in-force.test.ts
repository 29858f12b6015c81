import { expect, it } from "@jest/globals";
import type { Mesh } from "@weft/shared/model/mesh";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import type { RolloutRecord } from "../store/records.ts";
import { SqliteStore } from "../store/sqlite-store.ts";
import { InForce } from "./in-force.ts";

const at = new Date(0);
const parent = (node: string) => `spiffe://mesh.internal/spire/agent/x509pop/${node}`;
const meshOf = (zone: string, nodes: readonly string[]) =>
  ({ nodes: nodes.map((name) => ({ name })), dns: { zone } }) as unknown as Mesh;
const old = meshOf("old", ["a", "b", "gone"]);
const current = meshOf("new", ["a", "b", "fresh"]);
const inZone = (node: string, zone: string) => {
  const content = emptyContent(node);
  return { ...content, dns: { ...content.dns, zone } };
};
const compiler = {
  load: () => ({ mesh: old, problems: [] }),
  compile: (mesh: Mesh) => new Map(mesh.nodes.map(({ name }) => [name, inZone(name, mesh.dns.zone)])),
  entries: (mesh: Mesh) =>
    mesh.nodes.map(({ name }) => ({
      id: `${mesh.dns.zone} ${name}`,
      spiffeId: "",
      parentId: parent(name),
      selectors: [],
    })),
};

it("is the current mesh where its rollout has come to, and the one before elsewhere", () => {
  const store = new SqliteStore(":memory:");
  for (const digest of ["1", "2"]) store.revisions.append({ at, claimedBy: "", reason: "", digest }, []);
  store.desired.put({ ...sealed(inZone("b", "old")), generation: 1, revision: 1 });
  const rollout: RolloutRecord = {
    revision: 2,
    base: 1,
    state: "running",
    course: {
      waves: [["a"], ["b"], ["fresh"]],
      begun: 1,
      given: new Map([["a", { wasThere: true, errors: ["DNS_DOWN"] }]]),
      stopOn: ["failed"],
      deadlineSeconds: 60,
    },
    flags: { confirmTimeoutSeconds: 7, keepEstablished: true },
    why: "",
    endedBy: undefined,
  };
  store.rollouts.put(rollout);
  expect(store.rollouts.running()).toEqual(rollout);
  const inForce = new InForce({ store, compiler, trustDomain: "mesh.internal" }, () => current);
  expect([...inForce.pending()]).toEqual(["b", "fresh"]);
  expect([...inForce.contents()].map(([node, { dns }]) => `${dns.zone} ${node}`)).toEqual(["new a", "old b"]);
  expect(inForce.entries()?.map(({ id }) => id)).toEqual(["new a", "old b", "old gone"]);
  expect(["gone", "fresh", "other"].map((node) => inForce.names(node))).toEqual([true, true, false]);

  store.rollouts.put({ ...rollout, state: "done" });
  expect(inForce.entries()?.map(({ id }) => id)).toEqual(["new a", "new b", "new fresh"]);
  expect(inForce.names("gone")).toBe(false);
  store.close();
});
