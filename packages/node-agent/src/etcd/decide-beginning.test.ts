import { describe, expect, it } from "@jest/globals";
import { decideBeginning, silentForMs } from "./decide-beginning.ts";
import type { ListedMember } from "./member-list.ts";

const memberOf = (node: string) => ({ node, address: "10.77.0.10", name: `${node}.node.mesh.internal` });
const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];
const peerUrl = ({ name }: typeof a) => `https://${name}:2380`;
const listed = (member: typeof a, hasBegun = true): ListedMember => ({
  id: "1",
  hasBegun,
  peerUrls: [peerUrl(member)],
  clientUrls: [],
});
const start = (members: (typeof a)[], isNew: boolean) => ({
  beginning: { members: members.map((each) => ({ name: each.name, peerUrl: peerUrl(each) })), isNew },
});
const waits = (words: string) => ({ wait: expect.stringContaining(words) });

describe("how a member without data begins", () => {
  it("is alone, where it is the only one", () => {
    expect(decideBeginning(a, { members: [a] }, undefined, 0)).toEqual(start([a], true));
  });

  it("is alone as well, where it is named first of several, and nobody has answered for a while", () => {
    const all = { members: [b, a, c] };
    expect(decideBeginning(b, all, undefined, silentForMs - 1)).toEqual(waits("no other member answers"));
    expect(decideBeginning(b, all, undefined, silentForMs)).toEqual(start([b], true));
  });

  it("is no second cluster for one that was a member before, or that comes first by name alone", () => {
    expect(decideBeginning(a, { members: [a, b] }, undefined, undefined)).toEqual(waits("none answers"));
    expect(decideBeginning(a, { members: [a] }, undefined, undefined)).toEqual(start([a], true));
    expect(decideBeginning(a, { members: [b, a] }, undefined, silentForMs * 100)).toEqual(
      waits("waits for b"),
    );
  });

  it("is never a cluster of its own for any other", () => {
    for (const other of [a, c])
      expect(decideBeginning(other, { members: [b, a, c] }, undefined, silentForMs * 100)).toEqual(
        waits("waits for b"),
      );
  });

  it("is what those say that are there already, even for the first", () => {
    expect(decideBeginning(a, { members: [a, b] }, [listed(b)], silentForMs)).toEqual(waits("to add it"));
    expect(decideBeginning(a, { members: [a, b] }, [listed(b), listed(a, false)], 0)).toEqual(
      start([b, a], false),
    );
    // not yet gone from the cluster, though from the mesh file
    expect(decideBeginning(a, { members: [a, b] }, [listed(c), listed(b), listed(a, false)], 0)).toEqual(
      start([c, b, a], false),
    );
  });

  it("is nothing for one whose data is lost", () => {
    expect(decideBeginning(a, { members: [a, b] }, [listed(a), listed(b)], 0)).toEqual(
      waits("its data is lost"),
    );
  });
});
