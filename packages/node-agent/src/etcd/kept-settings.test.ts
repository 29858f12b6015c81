import { describe, expect, it } from "@jest/globals";
import { renderEtcdSettings } from "@weft/shared/render/etcd-settings";
import { readKeptSettings } from "./kept-settings.ts";

const member = { node: "hub", address: "10.77.0.10", name: "hub.node.mesh.internal" };
const members = ["hub", "db"].map((node) => ({
  name: `${node}.node.mesh.internal`,
  peerUrl: `https://${node}.node.mesh.internal:2380`,
}));

describe("settings on disk", () => {
  it.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])("say how the member began, and whether its port was open: %j %j", (isNew, isOpen) => {
    const beginning = { members, isNew };
    const text = renderEtcdSettings({ member, mesh: "shop", zone: "mesh.internal", beginning, isOpen });
    expect(readKeptSettings(text)).toEqual({
      ...{ beginning, isOpen },
      ownPeerUrl: "https://hub.node.mesh.internal:2380",
    });
  });

  it.each(["", "{", "[]", "{}", '{"initial-cluster":"hub"}'])(
    "are refused if they are damaged: %j",
    (text) => {
      expect(() => readKeptSettings(text)).toThrow(/damaged/);
    },
  );
});
