import { afterEach, beforeEach, expect, it } from "@jest/globals";
import type { DesiredContent, DesiredState } from "@weft/shared/model/desired";
import { two } from "../../../../test/support/cilium/bounded-endpoints.ts";
import { sealed } from "../../../../test/support/desired.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { checkDesired, readDesired, writeDesired } from "./desired-store.ts";

const members = [{ node: "hub", address: "10.77.0.10", name: "hub.node.mesh.internal" }];
const client = { node: "web1", address: "10.77.0.11", name: "web1.cilium.weft", addresses: ["10.42.1.9"] };
/** Every part of a state: what is left out of it would be refused as damaged. */
const whole: Required<DesiredContent> = {
  ...two,
  cilium: { range: "10.42.1.0/24", ranges: "10.42.0.0/16", endpoints: [], etcd: undefined },
  etcdCluster: { members, clients: [client] },
};
const state: DesiredState = { ...sealed(whole), generation: 7, revision: 3 };

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.dispose());

it("keeps a state on disk, whole, and takes it back as what its digest says", async () => {
  await writeDesired(host.files, state);
  const read = await readDesired(host.files);
  expect(read).toMatchObject({ etcdCluster: whole.etcdCluster, digest: state.digest });
  if (read === undefined) throw new Error("nothing there");
  const own = { node: "web1", trustDomain: "mesh.internal" };
  expect(() => checkDesired(read, own)).not.toThrow();
  const altered = { ...read, etcdCluster: { members, clients: [{ ...client, range: "10.0.0.0/8" }] } };
  expect(() => checkDesired(altered, own)).toThrow(/refused/);
});
