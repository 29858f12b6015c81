import { expect, it } from "@jest/globals";
import type { CutReport } from "@weft/shared/model/report";
import { reportOf } from "../../../../test/support/report.ts";
import { Fleet } from "../fleet/fleet.ts";
import { watchCuts } from "./cut-watch.ts";

const at = new Date(0);
const cut: CutReport = {
  occasion: "confirmed",
  generation: 2,
  ended: 3,
  leftUnknown: 0,
  failed: 0,
  kept: 0,
  at,
};
const signal = new AbortController().signal;

function fleetOf(...nodes: string[]): Fleet {
  const fleet = new Fleet();
  for (const node of nodes)
    fleet.note(node, {
      kind: "wanted",
      wanted: { generation: 2, digest: "d", revision: 2, enforcement: "nftables" },
    });
  return fleet;
}
const enforced = { generation: 2, digest: "d", enforcedDigest: "d", phase: "enforced" } as const;

it("word of a cut is told once for the state that was given, and then nobody waits", async () => {
  const fleet = fleetOf("web1", "api1");
  const told: [string, number][] = [];
  const watch = watchCuts(fleet, ["web1", "api1"], (node, { ended }) => told.push([node, ended]));
  const report = (node: string, more: { cut?: CutReport }) =>
    fleet.note(node, { kind: "report", at, report: reportOf({ ...enforced, ...more }) });
  report("web1", {});
  report("web1", { cut: { ...cut, generation: 1 } });
  report("web1", { cut });
  report("web1", { cut });
  expect(told).toEqual([["web1", 3]]);
  report("api1", {});
  const done = watch.done(signal);
  report("api1", { cut: { ...cut, ended: 0 } });
  await done;
  expect(told).toEqual([
    ["web1", 3],
    ["api1", 0],
  ]);
});

it("a node whose rules are not in force keeps nobody waiting", async () => {
  await watchCuts(fleetOf("web1"), ["web1"], () => undefined).done(signal);
});
