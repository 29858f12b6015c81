// What `weft plan` says of an etcd that Weft runs: on its members, and on the nodes whose Cilium uses it.
import { describe, expect, it } from "@jest/globals";
import { lines, load, section } from "../../../../test/support/cilium/sample-mesh.ts";
import { compileMesh } from "../compile/compile.ts";
import { planChanges } from "./changes.ts";

const operators = lines
  .join("\n")
  .replace("nodes:\n", "nodes:\n  etc1: { address: 10.77.0.21 }\n  etc2: { address: 10.77.0.22 }\n");
const own = operators.replace(section, "cilium: { etcd: { nodes: [hub] }, ranges: 10.42.0.0/16 }");
const three = own.replace("[hub]", "[hub, etc1, etc2]");

function compile(text: string) {
  const { mesh, problems } = load(text);
  if (mesh === undefined) throw new Error(JSON.stringify(problems));
  const place = { node: "hub", address: "10.77.0.10", agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
  return compileMesh(mesh, place);
}

const plan = (before: string, after: string) => planChanges(compile(before), compile(after));

/** About etcd, without what is said of any service. */
function wordsOf(before: string, after: string, node: string): string[] {
  const words = plan(before, after).find((change) => change.node === node)?.words ?? [];
  return words.filter((word) =>
    /\betcd (?:that|lets|no longer|of the|has|runs)|own etcd|agent restarts/.test(word),
  );
}

describe("a member of the mesh's own etcd", () => {
  it("starts, and lets the agents of Cilium in", () => {
    expect(wordsOf(operators, own, "hub")).toEqual([
      "hub: a member of the mesh's own etcd runs here (weft-etcd.service)",
      "hub: etcd lets the Cilium agent of api1 (10.77.0.12) in, to say who has 10.42.12.243",
      "hub: etcd lets the Cilium agent of web1 (10.77.0.11) in, to say who has 10.42.11.127",
    ]);
    expect(wordsOf(own, three, "etc1")[0]).toBe(
      "etc1: a member of the mesh's own etcd runs here (weft-etcd.service), beside etc2 and hub",
    );
  });

  it("goes", () => {
    expect(wordsOf(three, own, "etc1")).toEqual([
      "etc1: the member of the mesh's own etcd that runs here goes",
    ]);
    expect(wordsOf(own, operators, "hub")).toEqual([
      "hub: the member of the mesh's own etcd that runs here goes",
    ]);
  });

  it("gets others beside it, and other clients", () => {
    expect(wordsOf(own, three, "hub")).toEqual([
      "hub: the mesh's own etcd has members on etc1 (10.77.0.21), etc2 (10.77.0.22) and hub (10.77.0.10), before: hub (10.77.0.10)",
    ]);
    expect(wordsOf(own, own.replace("10.42.11.0/24", "10.42.21.0/24"), "hub")).toEqual([
      "hub: etcd lets the Cilium agent of web1 (10.77.0.11) in, to say who has 10.42.21.127",
      "hub: etcd no longer lets the Cilium agent of web1 (10.77.0.11) in, to say who has 10.42.11.127",
    ]);
  });

  it("is said to be locked out by another zone, which gives it another name", () => {
    const moved = own.replace("\nnodes:", "\ndns: { zone: other.internal }\nnodes:");
    const words = plan(own, moved).find(({ node }) => node === "hub")?.words ?? [];
    expect(words).toContainEqual(
      expect.stringMatching(
        /^hub: the member here is called hub\.node\.other\.internal, before: hub\.node\.mesh\.internal: .* first take cilium\.etcd out/,
      ),
    );
  });

  it("has no identity by its user, as services have", () => {
    const change = plan(operators, own).find(({ node }) => node === "hub");
    expect(change?.words.filter((word) => word.includes("get the identity"))).toEqual([]);
    expect(change?.diff).not.toContain("unix:user:weft-etcd");
    expect(change?.words).toContain("hub: weft-etcd:2379/tcp (clients) is judged by policy");
    expect(change?.words).toContain(
      "hub: weft-etcd:2379/tcp accepts node web1 (10.77.0.11) (policy weft-etcd-clients, m:4)",
    );
  });

  it("is in the diff with all that it knows", () => {
    const change = plan(operators, own).find(({ node }) => node === "hub");
    expect(change?.diff).toContain(
      "+etcd member hub 10.77.0.10 hub.node.mesh.internal\n" +
        "+etcd client api1 10.77.0.12 api1.cilium.weft 10.42.12.243\n" +
        "+etcd client web1 10.77.0.11 web1.cilium.weft 10.42.11.127\n" +
        "+etcd here weft-etcd.service /var/lib/weft-etcd /etc/weft/etcd/svid/bundle.pem /etc/weft/etcd/svid/svid.pem " +
        "/etc/weft/etcd/svid/svid.key\n",
    );
  });
});

describe("a node whose Cilium uses it", () => {
  it("restarts the agent for another etcd", () => {
    const before = "https://10.77.0.10:2379, ca /etc/etcd/ca.pem";
    expect(wordsOf(operators, own, "web1")).toEqual([
      `web1: the Cilium agent restarts and uses the etcd of the mesh on hub, before: ${before}`,
    ]);
    expect(wordsOf(own, operators, "web1")).toEqual([
      `web1: the Cilium agent restarts and uses the etcd ${before}, before: of the mesh on hub`,
    ]);
    expect(wordsOf(own, three, "web1")).toEqual([
      "web1: the Cilium agent restarts and uses the etcd of the mesh on etc1, etc2 and hub, before: of the mesh on hub",
    ]);
  });

  it("is told where no member stays that knows anything", () => {
    const empty = "web1: that etcd begins empty, since no member of it stays: first add the new members";
    const said = (after: string) =>
      plan(own, after)
        .find(({ node }) => node === "web1")
        ?.words.join(" ") ?? "";
    expect(said(own.replace("[hub]", "[etc1]"))).toContain(empty);
    for (const after of [own, three, operators]) expect(said(after)).not.toContain("begins empty");
  });

  it("has its members and its own name in the diff", () => {
    const change = plan(operators, own).find(({ node }) => node === "web1");
    expect(change?.diff).toContain(
      "+etcd member hub 10.77.0.10 hub.node.mesh.internal\n+etcd client web1 10.77.0.11",
    );
    expect(change?.diff).toContain(
      "etcd https://hub.node.mesh.internal:2379 /etc/weft/cilium/svid/bundle.pem /etc/weft/cilium/svid/svid.pem",
    );
    expect(change?.diff).not.toContain("api1.cilium.weft");
    expect(change?.diff).not.toContain("etcd here");
  });
});

it("nothing is said where lines move", () => {
  expect(plan(three, `# a line more\n${three}`)).toEqual([]);
});
