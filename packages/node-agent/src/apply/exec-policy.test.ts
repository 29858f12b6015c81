import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { readScript } from "../policy/confirmed.ts";
import { places } from "../state/places.ts";
import { LoadPolicy } from "./exec-policy.ts";

const digest = "a".repeat(64);
const never = new AbortController().signal;
/** What a script says of itself, and a last line to tell it by. */
const rules = (revision: number) => `add rule inet weft input goto a_input
add element inet weft rev {
  ${revision} comment "digest=${digest}"
}
rules ${revision}`;
const args = (revision: number, changes: { tracking?: string } = {}) => ({
  text: rules(revision),
  revision,
  digest,
  tracking: changes.tracking,
});

let host: FakeHost;
/** A chain of somebody else's in the table. */
let foreign: string | undefined;
/** The kernel takes nothing over the table as it is. */
let isClashing: boolean;
/** Revision the kernel carries; undefined: no table. */
let carried: number | undefined;
let refuses: { readonly check?: boolean; readonly load?: boolean };
let lies: boolean;
let order: string[];

beforeEach(() => {
  host = new FakeHost();
  carried = undefined;
  refuses = {};
  lies = false;
  foreign = undefined;
  isClashing = false;
  order = [];
  host.exec.programs.set("nft", async (argv, { input }) => {
    const [flag] = argv;
    if (flag === "-j")
      return carried === undefined
        ? { code: 1, stderr: "Error: No such file or directory" }
        : {
            stdout: JSON.stringify({
              nftables: [
                { set: { name: "rev", elem: [{ elem: { val: carried, comment: `digest=${digest}` } }] } },
                { rule: { chain: "input", expr: [{ goto: { target: "a_input" } }] } },
                ...(foreign === undefined ? [] : [{ chain: { name: foreign } }]),
              ],
            }),
          };
    if (flag === "flush") {
      order.push(argv.join(" "));
      return {};
    }
    const checks = flag === "-c";
    const text = input ?? (await host.files.readText(argv.at(-1) ?? "")) ?? "";
    order.push(`${checks ? "check" : "load"} ${text.trim().split("\n").at(-1)}`);
    const isReplaced = text.startsWith("add table inet weft\ndelete table inet weft\n");
    if (isReplaced) foreign = undefined;
    if (isReplaced && !checks) order.push("of a new table");
    if (isClashing && !isReplaced && !checks) return { code: 1, stderr: "Error: Operation not supported" };
    if (checks ? refuses.check : refuses.load) return { code: 1, stderr: "Error: syntax error" };
    if (!checks && !lies)
      carried = !text.includes("rules ") ? undefined : Number(/rules (\d+)/.exec(text)?.[1] ?? 0);
    return {};
  });
});
afterEach(() => host.dispose());

const loader = () => new LoadPolicy(host, 0);
const confirmed = () => readScript(host.files, places.confirmedPolicy);

describe("LoadPolicy", () => {
  it("checks, loads, reads back, and only then confirms for boot", async () => {
    const executor = loader();
    await executor.apply(args(1), never);
    await executor.verify(args(1));
    expect(order).toEqual(["check rules 1", "load rules 1"]);
    expect(await confirmed()).toBe(rules(1));
    expect(await host.files.info(places.loadingPolicy)).toBeUndefined();
    expect((await host.files.info(places.confirmedPolicy))?.mode).toBe(0o600);
  });

  it("keeps the rules before it as previous, and undo brings them back to kernel and disk", async () => {
    await loader().apply(args(1), never);
    const undo = await loader().apply(args(2), never);
    expect(await readScript(host.files, places.previousPolicy)).toBe(rules(1));
    await undo();
    expect([carried, await confirmed()]).toEqual([1, rules(1)]);
  });

  it("has the kernel forget how long it has remembered before rules are repaired, and only then", async () => {
    await loader().apply(args(1), never);
    await loader().apply(args(2), never);
    expect(order.some((line) => line.includes("memory"))).toBe(false);
    // somebody else's hand: other rules than were confirmed
    carried = 9;
    order = [];
    await loader().apply(args(2), never);
    expect(order).toEqual(["check rules 2", "flush set inet weft memory", "load rules 2"]);
    // a table that is gone has nothing to forget
    carried = undefined;
    order = [];
    await loader().apply(args(2), never);
    expect(order).toEqual(["check rules 2", "load rules 2"]);
  });

  it("takes the table away with what a load leaves of other hands in it, and confirms no such thing", async () => {
    await loader().apply(args(1), never);
    const record = await host.files.readText(places.confirmedRecord);
    for (const revision of [1, 2]) {
      foreign = "evil";
      order = [];
      await loader().apply(args(revision), never);
      expect([foreign, order.at(-1)]).toEqual([undefined, "of a new table"]);
    }
    await loader().apply(args(1), never);
    expect(await host.files.readText(places.confirmedRecord)).toBe(record);
    // a chain of ours at another priority
    isClashing = true;
    await loader().apply(args(1), never);
    expect([carried, order.at(-1)]).toEqual([1, "of a new table"]);
  });

  it.each([
    ["the check", { check: true }],
    ["the kernel", { load: true }],
  ])("changes nothing when %s refuses", async (_name, refusal) => {
    await loader().apply(args(1), never);
    refuses = refusal;
    await expect(loader().apply(args(2), never)).rejects.toMatchObject({ code: "WEFT-E400" });
    expect([carried, await confirmed()]).toEqual([1, rules(1)]);
  });

  it("does not believe nft: what the kernel does not carry is not confirmed", async () => {
    await loader().apply(args(1), never);
    lies = true;
    await expect(loader().apply(args(2), never)).rejects.toMatchObject({ code: "WEFT-E400" });
    expect(await confirmed()).toBe(rules(1));
  });

  it("keeps the good previous rules when the confirmed file was damaged", async () => {
    await loader().apply(args(1), never);
    await loader().apply(args(2), never);
    await host.files.write(places.confirmedPolicy, "rules");
    await loader().apply(args(3), never);
    expect([await confirmed(), await readScript(host.files, places.previousPolicy)]).toEqual([
      rules(3),
      rules(1),
    ]);
  });

  it("takes the table away again when the very first rules are undone", async () => {
    const undo = await loader().apply(args(1), never);
    await undo();
    expect([carried, await confirmed()]).toEqual([undefined, undefined]);
  });

  it("tracks before it judges on a machine that had no rules", async () => {
    const loading = loader().apply(args(1, { tracking: "track 0" }), never);
    while (host.clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual(["check rules 1", "load track 0"]);
    host.clock.advance(1);
    await loading;
    expect(carried).toBe(1);
  });
});
