import { expect, it } from "@jest/globals";
import { parseMemberList } from "./member-list.ts";

it("reads members that have begun and members that have not", () => {
  const lines = [
    "2806ed72747d5785, started, hub.node.mesh.internal, https://hub.node.mesh.internal:2380, https://hub.node.mesh.internal:2379, false",
    "2c8de3195d49335e, unstarted, , https://db.node.mesh.internal:2380, , true",
  ];
  expect(parseMemberList(`${lines.join("\n")}\n`)).toEqual([
    {
      id: "2806ed72747d5785",
      hasBegun: true,
      peerUrls: ["https://hub.node.mesh.internal:2380"],
      clientUrls: ["https://hub.node.mesh.internal:2379"],
    },
    {
      id: "2c8de3195d49335e",
      hasBegun: false,
      peerUrls: ["https://db.node.mesh.internal:2380"],
      clientUrls: [],
    },
  ]);
});

it.each([
  "nonsense",
  "x, started, a, https://a:2380, , false",
  "1, started, a, , , false",
  "1, started, a, b, https://a:2380, https://a:2379, false",
  "1, started, a, https://[fe80::1%25eth0]:2380, , false",
])("takes nothing that is no list: %s", (text) =>
  expect(() => parseMemberList(text)).toThrow(/cannot be read/),
);
