// What is recorded and said of a ban: the addresses of that day, those of the node's endpoints among them.
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import type { DesiredContent } from "@weft/shared/model/desired";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { FakeSpire } from "../../../../test/support/fake-spire.ts";
import { Membership } from "../enrolment/membership.ts";
import { Fleet } from "../fleet/fleet.ts";
import { SqliteStore } from "../store/sqlite-store.ts";
import { BanDesk } from "./ban-desk.ts";
import type { MeshAuthority } from "./mesh-authority.ts";

let store: SqliteStore;
beforeEach(() => {
  store = new SqliteStore(":memory:");
});
afterEach(() => store.close());

function deskOf(given: DesiredContent): BanDesk {
  const now = () => new Date("2026-03-01T10:00:00Z");
  const fleet = new Fleet();
  const entry = { at: now(), claimedBy: "ada", reason: "", digest: "", restores: undefined };
  const { revision } = store.revisions.append(entry, []);
  store.nodes.put({
    name: given.node,
    state: "enrolled",
    enrolmentKey: Uint8Array.of(1),
    enrolmentGeneration: 1,
    svidNotBefore: now(),
    joinedAt: now(),
    agentVersion: "",
    lastSeen: undefined,
    reEntry: undefined,
    exchangeExpires: undefined,
  });
  store.desired.put({ ...sealed(given), generation: 1, revision });
  return new BanDesk({
    authority: {
      mesh: { nodes: [{ name: given.node, address: given.address }] },
    } as unknown as MeshAuthority,
    membership: new Membership({
      store,
      spire: new FakeSpire(),
      trustDomain: "mesh.internal",
      now,
      randomBytes: (count) => new Uint8Array(count),
      changed: () => {},
    }),
    fleet,
    store,
    coordinator: { refresh: () => {}, behind: () => [] },
    settle: async () => {},
  });
}

const order = { node: "api1", addresses: ["192.0.2.9"], reason: "stolen", claimedBy: "ada" };

it.each<[string, readonly string[] | undefined, readonly string[]]>([
  ["with endpoints", ["10.42.12.3", "10.42.12.4"], ["10.77.0.12", "10.42.12.3", "10.42.12.4", "192.0.2.9"]],
  ["without", undefined, ["10.77.0.12", "192.0.2.9"]],
])("a node %s is banned at every address it has on that day", async (_what, endpoints, addresses) => {
  const content = emptyContent("api1", "10.77.0.12");
  const desk = deskOf({ ...content, policy: { ...content.policy, endpoints } });
  const { done } = await desk.ban(order);
  expect(done[0]).toBe(`nothing passes from or to ${addresses.join(", ")}`);
  expect(store.bans.list()).toMatchObject([{ node: "api1", addresses }]);
  await desk.unban(order);
  expect(store.bans.list()).toEqual([]);
});
