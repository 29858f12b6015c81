import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { etcdPlaces } from "@weft/shared/render/etcd-places";
import { peerUrlOf, renderEtcdSettings } from "@weft/shared/render/etcd-settings";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { partInTime } from "./part-in-time.ts";

const memberOf = (node: string) => ({ node, address: "10.77.0.10", name: `${node}.node.mesh.internal` });
const own = memberOf("b");
const never = new AbortController().signal;
const lineOf = (id: string, node: string) =>
  `${id}, started, ${node}, https://${node}.node.mesh.internal:2380, https://${node}.node.mesh.internal:2379, false\n`;

let host: FakeHost;
let said: string[];
let removes: () => { code?: number; stderr?: string };

beforeEach(async () => {
  host = new FakeHost();
  said = [];
  removes = () => ({});
  host.exec.programs.set("/opt/weft/components/etcdctl", (args) => {
    if (!args.includes("remove"))
      return { stdout: lineOf("a1", "a") + lineOf("b2", "b") + lineOf("c3", "c") };
    const [endpoints = ""] = args;
    said.push(
      `${args.at(-1)} by ${[...endpoints.matchAll(/(\w+)[.]node/g)].map(([, node]) => node).join(" ")}`,
    );
    return removes();
  });
  const beginning = { members: [{ name: own.name, peerUrl: peerUrlOf(own.name) }], isNew: false };
  const ground = { member: own, mesh: "shop", zone: "mesh.internal", beginning, isOpen: true };
  await host.files.write(etcdPlaces.settings, renderEtcdSettings(ground));
});
afterEach(() => host.dispose());

const part = async (...nodes: string[]) => {
  await partInTime(host, nodes.length === 0 ? undefined : { members: nodes.map(memberOf) }, never);
  return said;
};

it("takes out who is wanted no more, by those that stay, and itself last", async () => {
  expect(await part("b")).toEqual(["a1 by b", "c3 by b"]);
  said.length = 0;
  expect(await part("a", "d")).toEqual(["c3 by a", "b2 by a"]);
});

it("takes out itself alone where it is told of no etcd any more", async () => {
  expect(await part()).toEqual(["b2 by a c"]);
});

it("changes nothing where all stay, nobody stays, or there is no member here", async () => {
  expect(await part("a", "b", "c", "d")).toEqual([]);
  expect(await part("d")).toEqual([]);
  await host.files.removeTree(etcdPlaces.configuration);
  host.exec.calls.length = 0;
  expect(await part("a")).toEqual([]);
  expect(host.exec.calls).toEqual([]);
});

it("goes on with the next where one is refused, and keeps no rules waiting for long", async () => {
  removes = () => ({ code: 1, stderr: "etcdserver: unhealthy cluster" });
  expect(await part("b")).toEqual(["a1 by b", "c3 by b"]);
  said.length = 0;
  removes = () => {
    host.clock.advance(10_001);
    return {};
  };
  expect(await part("b")).toEqual(["a1 by b"]);
  const aborted = AbortSignal.abort();
  await expect(partInTime(host, { members: [own] }, aborted)).resolves.toBeUndefined();
});
