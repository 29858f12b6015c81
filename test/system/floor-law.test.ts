// The law of the floor: whatever a coordinator sends, a kernel with the rules that its node lets be refuses what the floor
// shuts, and admits whom the floor always admits. Random hostile states, loaded into a real kernel and read back.
// 40 states; WEFT_LONG=1: 1,000.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { applyFloor } from "../../packages/node-agent/src/floor/apply-floor.ts";
import { parseFloor } from "../../packages/node-agent/src/floor/parse-floor.ts";
import { judgeHook } from "../../packages/shared/src/kernel-verdict/judge.ts";
import type { Packet } from "../../packages/shared/src/kernel-verdict/packet.ts";
import type { Ruleset } from "../../packages/shared/src/kernel-verdict/ruleset.ts";
import { installHostPrograms } from "../../scripts/lab-src/host-programs.ts";
import { hostileContent } from "../support/hostile-content.ts";
import { labProgress } from "../support/lab.ts";
import { RuleBench } from "../support/loaded-mesh.ts";
import { randomOf } from "../support/random-mesh.ts";

const states = process.env["WEFT_LONG"] === "1" ? 1_000 : 40;
const seed = 1010;
const uids = new Map([
  ["web", 2001],
  ["mallory", 2666],
]);

const text = `weft-floor: v1
nodes: [10.77.0.0/26]
users: [web]
ingress:
  never: [5432/tcp]
  judged: [8080/tcp]
  undeclared: closed
  from: [10.77.0.0/26]
egress: { never: [169.254.169.254], to: [10.77.0.0/26], default: deny }
dns: { upstreams: [10.77.0.53] }
guard:
  admin: [192.0.2.0/28]
  ports: [22/tcp]
  atMost: { admin: [192.0.2.0/28], ports: [22/tcp] }
coordinator: { addresses: [10.77.0.10] }
mode: enforce
`;

type Asked = readonly [
  what: string,
  packet: Pick<Packet, "hook" | "source" | "destination" | "port"> & { uid?: number },
];
const into = (source: string, port: number): Asked => [
  `${source} -> ${port}`,
  { hook: "input", source, destination: source.includes(":") ? "fd77::11" : "10.77.0.11", port },
];
const out = (uid: number, destination: string, port: number): Asked => [
  `uid ${uid} -> ${destination}:${port}`,
  { hook: "output", source: destination.includes(":") ? "fd77::11" : "10.77.0.11", destination, port, uid },
];

/** Beyond the floor, whatever is sent. */
const shut: readonly Asked[] = [
  ...["203.0.113.9", "10.77.0.66", "172.17.0.5", "fd77::66"].flatMap((source) =>
    [1, 22, 443, 5432, 7443, 7444, 8080, 9999].map((port) => into(source, port)),
  ),
  ...["10.77.0.12", "192.0.2.5"].map((source) => into(source, 5432)),
  ...["192.0.2.5"].flatMap((source) => [443, 8080, 9999].map((port) => into(source, port))),
  ...[0, 2001, 2666].flatMap((uid) => [80, 443].map((port) => out(uid, "169.254.169.254", port))),
  ...["203.0.113.9", "192.0.2.5", "fd77::66"].flatMap((to) =>
    [53, 443, 8080].map((port) => out(2001, to, port)),
  ),
];
/** Admitted, whatever is sent. */
const kept: readonly Asked[] = ["192.0.2.1", "192.0.2.5"].map((source) => into(source, 22));

function judge(ruleset: Ruleset, [, packet]: Asked): string {
  return judgeHook(ruleset, "inet weft", {
    protocol: "tcp",
    local: false,
    publishedPort: undefined,
    ...packet,
    uid: packet.uid,
  }).verdict;
}

let bench: RuleBench;
beforeAll(async () => {
  await installHostPrograms(["ip", "nft"], labProgress);
  bench = new RuleBench();
}, 300_000);
afterAll(() => bench.down());

/** What holds of a state's rules and should not, or the other way round. */
function broken(floored: boolean, count: number): { readonly wrong: string[]; readonly refusals: number } {
  const { floor, problems } = parseFloor("floor.yaml", text);
  if (floor === undefined) throw new Error(problems.join("\n"));
  const random = randomOf(seed);
  const wrong: string[] = [];
  let refusals = 0;
  for (let n = 0; n < count; n++) {
    const sent = hostileContent(random);
    const found = floored ? applyFloor(sent, floor) : { content: sent, refusals: [] };
    refusals += found.refusals.length;
    const ruleset = bench.load(new Map([["web1", found.content]]), uids).get("web1");
    if (ruleset === undefined) throw new Error("not loaded");
    for (const asked of shut) {
      const verdict = judge(ruleset, asked);
      if (verdict !== "reject" && verdict !== "drop") wrong.push(`state ${n}: ${asked[0]}: ${verdict}`);
    }
    for (const asked of kept) {
      const verdict = judge(ruleset, asked);
      if (verdict !== "accept") wrong.push(`state ${n}: ${asked[0]}: ${verdict}`);
    }
  }
  return { wrong, refusals };
}

describe("a floor", () => {
  it("is needed: without it the same states open what it shuts, and shut out whom it admits", () => {
    const { wrong } = broken(false, 20);
    for (const what of [
      /203\.0\.113\.9 -> 5432/,
      /-> 169\.254\.169\.254/,
      /uid 2001 -> 203\.0/,
      /192\.0\.2\.5 -> 22: re/,
    ])
      expect(wrong.some((line) => what.test(line))).toBe(true);
  });

  it(`holds whatever is sent (${states} hostile states)`, () => {
    const { wrong, refusals } = broken(true, states);
    expect(wrong).toEqual([]);
    process.stderr.write(
      `${states} hostile states, ${refusals} refusals, ${states * (shut.length + kept.length)} verdicts as the floor says\n`,
    );
  }, 2_400_000);
});
