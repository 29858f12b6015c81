// What a ban of a node with Cilium is to the others: its own address, and those of its endpoints.
import { expect, it } from "@jest/globals";
import type { Mesh } from "@weft/shared/model/mesh";
import { contentDigest } from "@weft/shared/plan/content-digest";
import { lines, load } from "../../../../test/support/cilium/sample-mesh.ts";
import { compileMesh } from "../compile/compile.ts";
import type { Ban } from "../store/records.ts";
import { banningCompiler } from "./banning-compiler.ts";

const place = { node: "hub", address: "10.77.0.10", agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
const inner = {
  load: () => ({ mesh: undefined, problems: [] }),
  compile: (mesh: Mesh) => compileMesh(mesh, place),
  digest: contentDigest,
  entries: () => [],
  changes: () => [],
};
const ban = (...addresses: string[]): Ban => ({
  node: "api1",
  addresses,
  at: new Date(0),
  claimedBy: "ada",
  reason: "stolen",
});

/** By node, who is banned there. */
function bannedIn(text: string, bans: readonly Ban[]) {
  const contents = banningCompiler(inner, { list: () => [...bans] }).compile(load(text).mesh as Mesh);
  return Object.fromEntries([...contents].map(([node, { policy }]) => [node, policy.guard.banned]));
}

const text = lines.join("\n");
const nothing = { hub: [], web1: [], api1: [] };

it("bans the endpoints of a node beside its address, on all others, until the ban is lifted", () => {
  const both = ["10.42.12.243", "10.77.0.12"];
  expect(bannedIn(text, [ban("10.77.0.12")])).toEqual({ hub: both, web1: both, api1: ["10.77.0.12"] });
  expect(bannedIn(text, [])).toEqual(nothing);
});

it("bans what endpoints it had on the day of the ban, though its services have moved on", () => {
  const moved = text.replace("api: { nodes: [api1]", "api: { nodes: [hub]");
  const before = ["10.42.12.243", "10.77.0.12"];
  expect(bannedIn(moved, [ban("10.77.0.12", "10.42.12.243")])).toMatchObject({ hub: before, web1: before });
  expect(bannedIn(moved, [ban("10.77.0.12")])).toMatchObject({ hub: ["10.77.0.12"] });
});

it("bans the address alone in a mesh without Cilium", () => {
  const plain = text.replaceAll(/, enforcement: cilium, range: [0-9./]+/g, "");
  expect(bannedIn(plain, [ban("10.77.0.12")])).toEqual({
    hub: ["10.77.0.12"],
    web1: ["10.77.0.12"],
    api1: ["10.77.0.12"],
  });
});
