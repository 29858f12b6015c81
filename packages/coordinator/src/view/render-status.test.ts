import { describe, expect, it } from "@jest/globals";
import type { CiliumVerdict } from "@weft/shared/model/cilium";
import { after, sampleFacts, sampleFleet, sampleNode } from "../../../../test/support/fleet-sample.ts";
import { changeLines } from "./change-lines.ts";
import { makePaint } from "./paint.ts";
import { renderNodeDetails } from "./render-node.ts";
import { renderStatus } from "./render-status.ts";
import { statusModel } from "./status-model.ts";

const plain = makePaint(false);
const model = statusModel(sampleFleet);
const draw = (width: number | undefined) => `\n${renderStatus(model, width, plain).join("\n")}\n`;

describe("the status table", () => {
  it("at 120 columns", () => {
    expect(draw(120)).toMatchInlineSnapshot(`
"
mesh shop (mesh.internal), revision 4, 2 of 4 nodes online and enforcing, 1 not joined

NODE  STATE   ADDRESS      ENFORCEMENT  REVISION         IDENTITY          DNS     CONDITION
api1  Online  10.77.0.12   nftables     APPLYING 3 of 4  50 min, no agent  failed  the node's resolver does not answer:…
db1   Lost    10.77.0.13   nftables     STALE 4          50 min            file    not heard from for 10 min; its rules…
hub   Online  fd77::10     nftables     ENFORCED 4       50 min            file
n1    Absent  10.77.0.101  nftables     -                -                 -       in the mesh file, not joined yet: we…
web1  Online  10.77.0.11   nftables     ENFORCED 4       50 min            file

error api1: the node's resolver does not answer: no answer on 127.0.0.153; asked three times (DNS_DOWN)
  public names still resolve through the upstreams; read \`journalctl -u weft-dns\`
note api1: some facts could not be read (FACTS_PARTIAL)
  run \`weft-node-agent facts\` on the node
"
`);
  });

  it("at 80 columns leaves out what is least needed", () => {
    expect(draw(80)).toMatchInlineSnapshot(`
"
mesh shop (mesh.internal), revision 4, 2 of 4 nodes online and enforcing, 1 not joined

NODE  STATE   REVISION         IDENTITY          CONDITION
api1  Online  APPLYING 3 of 4  50 min, no agent  the node's resolver does not a…
db1   Lost    STALE 4          50 min            not heard from for 10 min; its…
hub   Online  ENFORCED 4       50 min
n1    Absent  -                -                 in the mesh file, not joined y…
web1  Online  ENFORCED 4       50 min

error api1: the node's resolver does not answer: no answer on 127.0.0.153; asked three times (DNS_DOWN)
  public names still resolve through the upstreams; read \`journalctl -u weft-dns\`
note api1: some facts could not be read (FACTS_PARTIAL)
  run \`weft-node-agent facts\` on the node
"
`);
  });

  it("never passes the width of the terminal, as long as the essential columns fit", () => {
    for (let width = 75; width < 200; width++)
      for (const line of renderStatus({ ...model, headline: "", remarks: [] }, width, plain))
        expect(line.length).toBeLessThanOrEqual(width);
  });

  it("in a pipe cuts nothing", () => {
    expect(draw(undefined)).not.toContain("\u2026");
  });

  it("has colours only if asked to, and the same text with them", () => {
    const coloured = renderStatus(model, 120, makePaint(true)).join("\n");
    expect(coloured).toContain("\u001b[32mOnline\u001b[0m");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: taking the colours away
    expect(coloured.replaceAll(/\u001b\[\d+m/g, "")).toBe(renderStatus(model, 120, plain).join("\n"));
  });

  it("lets no control characters of a node reach the terminal", () => {
    const detail = "\u001b]0;owned\u0007\u202etxt\nhub  Online";
    const conditions = [{ code: "DNS_DOWN" as const, detail, since: after(0) }];
    const agentVersion = "1\nenforced       revision 9\tforged";
    const evil = { ...sampleNode, agentVersion, report: { ...sampleNode.report!, conditions } };
    const lines = [
      ...renderStatus(statusModel({ ...sampleFleet, nodes: [evil] }), undefined, plain),
      ...renderNodeDetails(evil, after(0), plain),
    ].join("\n");
    expect(lines).toContain("owned");
    expect(lines).not.toMatch(/[\p{Cc}\p{Cf}](?<!\n)/u);
    expect(lines).not.toMatch(/^(hub {2}Online|enforced {7}revision 9)/m);
  });

  it("says what to do about a node that two machines claim", () => {
    const claimed = { ...sampleNode, state: "Suspended" as const, report: undefined };
    const todo = "then weft node add web1";
    const table = renderStatus(statusModel({ ...sampleFleet, nodes: [claimed] }), undefined, plain);
    expect(table.find((line) => line.startsWith("web1"))).toContain(todo);
    expect(renderNodeDetails(claimed, after(0), plain).join("\n")).toContain(todo);
  });
});

describe("a watch in a pipe", () => {
  const lines = (before: typeof sampleFleet | undefined, now: typeof sampleFleet) =>
    changeLines(before === undefined ? undefined : statusModel(before), statusModel(now), now.at);

  it("tells every node at first, then only what changed", () => {
    expect(lines(undefined, sampleFleet)).toHaveLength(6);
    expect(lines(sampleFleet, sampleFleet)).toEqual([]);
    const [first, ...others] = sampleFleet.nodes;
    const moved = {
      ...sampleFleet,
      at: after(5),
      nodes: [{ ...first!, verdict: "DRIFTED" as const }, ...others],
    };
    expect(lines(sampleFleet, moved)).toEqual(["12:00:05 web1: Online, DRIFTED 4, dns file"]);
  });

  it("stays quiet while only time passes", () => {
    expect(lines(sampleFleet, { ...sampleFleet, at: after(30) })).toEqual([]);
  });

  it("tells what is gone, and what troubles the coordinator", () => {
    const nodes = sampleFleet.nodes.filter(({ name }) => name !== "n1");
    const conditions = [{ code: "SPIRE_SERVER_AWAY" as const, detail: "no socket", since: after(1) }];
    expect(lines(sampleFleet, { ...sampleFleet, at: after(1), nodes, conditions })).toEqual([
      "12:00:01 n1: removed",
      "12:00:01 coordinator: the SPIRE server cannot be reached: no socket (SPIRE_SERVER_AWAY)",
    ]);
  });
});

describe("a node whose floor refused a part", () => {
  const refusal = {
    line: 4,
    policy: "ops",
    file: "mesh.yaml",
    ruleLine: 12,
    what: "from 0.0.0.0/0 to 8080/tcp",
  };
  const conditions = [
    { code: "FLOOR_REFUSED" as const, detail: "floor.yaml:4 refused it", since: after(-5) },
  ];
  const floor = { state: "in-force" as const, refusals: [refusal], leftOut: 2 };
  const report = sampleNode.report === undefined ? undefined : { ...sampleNode.report, floor, conditions };
  const node = { ...sampleNode, report };

  it("is enforced, with a word for it and a warning", () => {
    const lines = renderStatus(statusModel({ ...sampleFleet, nodes: [node] }), undefined, plain);
    expect(lines.join("\n")).toContain("ENFORCED 4, floor");
    expect(lines.join("\n")).toContain("floor.yaml:4 refused it (FLOOR_REFUSED)");
  });

  it("shows each refusal, by line", () => {
    const lines = renderNodeDetails(node, sampleFleet.at, plain);
    expect(lines).toContain("floor          in force");
    expect(lines).toContain(
      "               floor.yaml:4 refused policy ops (mesh.yaml:12): from 0.0.0.0/0 to 8080/tcp",
    );
    expect(lines).toContain("               and 2 more");
  });
});

describe("whether a node could run Cilium", () => {
  const reason = { need: "clang 18.1 or newer", found: "there is none", todo: "install package clang-18" };
  const linesOf = (...ciliumVerdicts: CiliumVerdict[]) =>
    renderNodeDetails({ ...sampleNode, facts: { ...sampleFacts, ciliumVerdicts } }, sampleFleet.at, plain);

  it("is said of a node, once for releases that are alike, and never that it does", () => {
    const lines = linesOf(
      { version: "1.18.x", can: true, because: [] },
      { version: "1.19.x", can: true, because: [] },
    );
    expect(lines).toContain(
      "Cilium         this machine could run 1.18.x and 1.19.x; it does where the mesh file says enforcement: cilium",
    );
    expect(lines.join("\n")).toContain("ENFORCED, 4 of 4 (nftables)");
  });

  it("is said with each reason and what to do", () => {
    const lines = linesOf(
      { version: "1.18.x", can: true, because: [] },
      { version: "1.19.x", can: false, because: [reason] },
    );
    expect(lines.filter((line) => /1\.1[89]|clang/.test(line))).toEqual([
      "Cilium         this machine could run 1.18.x; it does where the mesh file says enforcement: cilium",
      "               this machine cannot run 1.19.x (nftables enforces), because of",
      "               clang 18.1 or newer: there is none; to do: install package clang-18",
    ]);
  });

  it("is not said of an agent that did not judge it, nor in the table of all nodes", () => {
    expect(linesOf().join("\n")).not.toContain("Cilium");
    const facts = { ...sampleFacts, ciliumVerdicts: [{ version: "1.18.x", can: true, because: [] }] };
    const fleet = { ...sampleFleet, nodes: [{ ...sampleNode, facts }] };
    expect(renderStatus(statusModel(fleet), undefined, plain).join("\n")).not.toContain("Cilium");
  });
});
