import { describe, expect, it } from "@jest/globals";
import type { DesiredContent } from "@weft/shared/model/desired";
import { refusalSentence } from "@weft/shared/model/floor";
import { two } from "../../../../test/support/cilium/bounded-endpoints.ts";
import { emptyContent } from "../../../../test/support/desired.ts";
import { applyFloor } from "./apply-floor.ts";
import { parseFloor } from "./parse-floor.ts";

const base = emptyContent("web1");
const member = (node: string, address: string) => ({ node, address, name: `${node}.node.mesh.internal` });
const [own, hub] = [member("web1", base.address), member("hub", "10.77.0.10")];
const client = { node: "web1", address: base.address, name: "web1.cilium.weft", addresses: ["10.42.1.9"] };

function floored(content: DesiredContent, lines?: string) {
  const { floor } = lines === undefined ? {} : parseFloor("floor.yaml", `weft-floor: v1\n${lines}\n`);
  if (lines !== undefined && floor === undefined) throw new Error("no floor");
  const { content: left, refusals } = applyFloor(content, floor);
  return {
    members: left.etcdCluster?.members.map(({ node }) => node),
    refused: refusals.map(refusalSentence),
  };
}
const asMember = { ...base, etcdCluster: { members: [hub, own], clients: [] } };

describe("a member of etcd", () => {
  it("is let be without a floor, and by one that says so", () => {
    for (const lines of [undefined, "etcd: true"])
      expect(floored(asMember, lines)).toEqual({ members: ["hub", "web1"], refused: [] });
  });

  it.each([
    ["", 1],
    ["etcd: false", 2],
    ["cilium: true", 1],
  ])("is refused by any other floor: %j", (lines, line) => {
    expect(floored(asMember, lines)).toEqual({
      members: undefined,
      refused: [
        `floor.yaml:${line} refused a member of the mesh's etcd: the floor does not say \`etcd: true\``,
      ],
    });
  });

  it("listens at the node's own address alone, floor or not", () => {
    const elsewhere = { ...base, etcdCluster: { members: [member("web1", "0.0.0.0")], clients: [] } };
    for (const lines of [undefined, "etcd: true"])
      expect(floored(elsewhere, lines)).toEqual({
        members: undefined,
        refused: [`the agent refused a member of the mesh's etcd at 0.0.0.0, not ${base.address}`],
      });
  });
});

describe("a client of etcd", () => {
  const { cilium } = two;
  if (cilium === undefined) throw new Error("no endpoints");
  const asClient: DesiredContent = {
    ...two,
    node: "web1",
    cilium: { ...cilium, etcd: undefined },
    etcdCluster: { members: [hub], clients: [client] },
  };

  it("is what a node with endpoints is, with no word of the floor for it", () => {
    expect(floored(asClient, "cilium: true")).toEqual({ members: ["hub"], refused: [] });
    expect(floored(asClient)).toEqual({ members: ["hub"], refused: [] });
  });

  it("is none without endpoints", () => {
    expect(floored(asClient, "etcd: true").members).toBeUndefined();
  });

  it("goes on with the other members where its own is refused", () => {
    const both = {
      ...asClient,
      etcdCluster: { members: [hub, { ...own, address: two.address }], clients: [client] },
    };
    expect(floored(both, "cilium: true")).toMatchObject({ members: ["hub"], refused: { length: 1 } });
  });
});
