import { describe, expect, it } from "@jest/globals";
import { type FoundMember, planMembers } from "./plan-members.ts";

const urlOf = (node: string) => `https://${node}:2380`;
const wanted = (...nodes: string[]) => nodes.map((node) => ({ node, peerUrl: urlOf(node) }));
const found = (...nodes: string[]): FoundMember[] =>
  nodes.map((text) => {
    const node = text.replace("?", "");
    return { id: node, peerUrls: [urlOf(node)], clientUrls: [], isLearner: text.endsWith("?") };
  });
const plan = (wish: string[], there: string[], silent: string[] = []) => {
  const change = planMembers(wanted(...wish), found(...there), ({ id }) => !silent.includes(id));
  if (change === undefined) return "nothing";
  return `${change.change} ${change.change === "remove" ? change.id : change.node}`;
};

describe("the next change of members", () => {
  it.each([
    ["there is none", ["a", "b"], ["a", "b"], [], "nothing"],
    ["a new one learns", ["a", "b", "c"], ["a"], [], "add b"],
    [
      "one that learns gets a vote, before another is added",
      ["a", "b", "c"],
      ["a", "b?"],
      ["b"],
      "promote b",
    ],
    ["one too many goes last", ["a", "b", "d"], ["a", "b", "c"], [], "add d"],
    ["one too many goes", ["a", "b"], ["a", "b", "c"], [], "remove c"],
    ["a lost one that is not wanted goes first", ["a", "b", "d"], ["a", "b", "c"], ["c"], "remove c"],
    ["one that learns and is not wanted goes first", ["a", "d"], ["a", "c?"], ["c"], "remove c"],
    ["a lost one that is wanted is waited for", ["a", "b", "c"], ["a", "b", "c"], ["c"], "wait c"],
    ["nobody is added while one is lost", ["a", "b", "c", "d"], ["a", "b", "c"], ["c"], "wait c"],
    ["nobody is taken out while one is lost", ["a", "b"], ["a", "b", "c"], ["b"], "wait b"],
    ["no lost one either, while another is lost", ["a", "b"], ["a", "b", "c"], ["b", "c"], "wait b"],
  ])("%s", (_, wish, there, silent, change) => {
    expect(plan(wish, there, silent)).toBe(change);
  });

  it("knows one that was added and has no name yet by where its peers find it", () => {
    const there = [{ id: "1f", peerUrls: ["https://x:2380", urlOf("a")], clientUrls: [], isLearner: false }];
    expect(planMembers(wanted("a"), there, () => true)).toBeUndefined();
  });
});
