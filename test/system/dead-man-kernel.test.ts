// The dead-man switch in a real kernel: confirms around the moment of expiry, and flows judged by whichever slot counts.
// WEFT_LONG=1 runs the long count.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { runBreakGlass } from "../../packages/node-agent/src/commands/break-glass.ts";
import type { CommandContext } from "../../packages/node-agent/src/commands/context.ts";
import type { Exec, ExecOptions, Host } from "../../packages/node-agent/src/host/host.ts";
import { LinuxClock } from "../../packages/node-agent/src/host/linux-clock.ts";
import { LinuxExec } from "../../packages/node-agent/src/host/linux-exec.ts";
import { LinuxFiles } from "../../packages/node-agent/src/host/linux-files.ts";
import { LinuxSockets } from "../../packages/node-agent/src/host/linux-sockets.ts";
import {
  readConfirmed,
  writeConfirmedRecord,
  writeScript,
} from "../../packages/node-agent/src/policy/confirmed.ts";
import { DeadMan } from "../../packages/node-agent/src/policy/dead-man.ts";
import { partsOf, readArmed, readKernelTable } from "../../packages/node-agent/src/policy/kernel-table.ts";
import { places } from "../../packages/node-agent/src/state/places.ts";
import { digestOf } from "../../packages/shared/src/plan/canonical.ts";
import {
  renderArming,
  renderConfirm,
  renderNftables,
  renderStaging,
  rulesetFingerprint,
} from "../../packages/shared/src/render/nftables.ts";
import { otherSlot, type Slot } from "../../packages/shared/src/render/nftables-slots.ts";
import { FakeUnits } from "../support/fake-host.ts";
import { compile, PolicyNet } from "../support/policy-net.ts";

const rounds = process.env["WEFT_LONG"] === "1" ? 1_000 : 20;
const lab = new PolicyNet();
const { net, address, user } = lab;
const never = new AbortController().signal;
const open = compile("policies:\n  - { name: web-to-api, from: [web], to: api }\n").get("api1")!;
const closed = compile("policies: []\n").get("api1")!;

class NamespaceExec implements Exec {
  readonly #inner = new LinuxExec();
  readonly #root: string;
  readonly #machine: string;

  constructor(root: string, machine: string) {
    this.#root = root;
    this.#machine = machine;
  }

  run(program: string, args: readonly string[], options: ExecOptions = {}) {
    const placed = args.map((arg) => (arg.startsWith("/var/") ? `${this.#root}${arg}` : arg));
    return this.#inner.run(
      "ip",
      ["netns", "exec", net.namespaceOf(this.#machine), program, ...placed],
      options,
    );
  }

  lines(): { readonly done: Promise<number>; readonly pid: number | undefined } {
    return { done: Promise.resolve(0), pid: undefined };
  }
}

const folder = mkdtempSync(join(tmpdir(), "weft-dead-man-"));
function hostOf(machine: string): Host {
  const root = join(folder, machine);
  return {
    files: new LinuxFiles(root),
    exec: new NamespaceExec(root, machine),
    units: new FakeUnits(),
    sockets: new LinuxSockets(root),
    clock: new LinuxClock(),
  };
}
const host = hostOf("api1");

beforeAll(() => lab.up(), 300_000);
afterAll(async () => {
  await net.down();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => lab.clear());

const inputOf = (content: typeof open, revision: number) => ({
  content,
  revision,
  digest: digestOf(content),
  uids: lab.uids,
});
const listing = () => net.run("api1", ["nft", "-j", "list", "table", "inet", "weft"]);
const dial = () => net.as("web1", user.web).dial(address.api1.v4, 8080);

function arm(content: typeof open, revision: number, slot: Slot, timeoutMs: number): void {
  const input = inputOf(content, revision);
  net.nft("api1", renderStaging(input, slot));
  net.nft("api1", renderArming(input.digest, timeoutMs));
}

async function confirm(content: typeof open, revision: number, slot: Slot, on = host): Promise<void> {
  const input = inputOf(content, revision);
  const text = renderNftables(input, slot);
  await on.exec.run("nft", ["-f", "-"], { input: text });
  await writeScript(on.files, places.confirmedPolicy, text);
  const table = await readKernelTable(on.exec);
  if (table === undefined) throw new Error("no table");
  const { fingerprint } = table;
  await writeConfirmedRecord(on.files, { ...input, fingerprint, parts: partsOf(table, slot) });
}

describe("a candidate beside the confirmed policy", () => {
  it("judges both families while it is armed, and then it is as if nothing had been", async () => {
    for (const slot of ["a", "b"] as const) {
      await confirm(open, 1, slot);
      const before = listing();
      arm(closed, 2, otherSlot(slot), 700);
      expect(await dial()).toBe("ECONNREFUSED");
      expect(await net.as("web1", user.web).dial(address.api1.v6, 8080)).toBe("ECONNREFUSED");
      const deadline = Date.now() + 2_000;
      while ((await dial()) !== "open" && Date.now() < deadline) await delay(20);
      expect(await dial()).toBe("open");
      expect(() => net.nft("api1", renderConfirm(otherSlot(slot), inputOf(closed, 2)))).toThrow();
      expect(await dial()).toBe("open");
      net.nft("api1", (await readConfirmed(host.files))?.text ?? "");
      expect(rulesetFingerprint(listing())).toBe(rulesetFingerprint(before));
    }
  });

  it("once confirmed is what a boot would load, in either slot, over and over", async () => {
    await confirm(closed, 1, "a");
    let slot: Slot = "a";
    for (let revision = 2; revision < 6; revision++) {
      slot = otherSlot(slot);
      const input = inputOf(revision % 2 === 0 ? open : closed, revision);
      arm(input.content, revision, slot, 10_000);
      net.nft("api1", renderConfirm(slot, input));
      expect(await dial()).toBe(revision % 2 === 0 ? "open" : "ECONNREFUSED");
      const confirmed = rulesetFingerprint(listing());
      lab.clear();
      net.nft("api1", renderNftables(input, slot));
      expect(rulesetFingerprint(listing())).toBe(confirmed);
    }
  });
});

describe("the parts of a table", () => {
  it("are the same for either slot, and for any policy but for its own slot", async () => {
    const seen = [];
    for (const [content, slot] of [
      [open, "a"],
      [open, "b"],
      [closed, "a"],
    ] as const) {
      await confirm(content, 1, slot);
      const table = await readKernelTable(host.exec);
      seen.push(table === undefined ? undefined : partsOf(table, slot));
    }
    const [inA, inB, other] = seen;
    expect(inA).toEqual(inB);
    expect(other).toEqual({ ...inA, slot: expect.not.stringMatching(inA?.slot ?? "") });
  });
});

describe("break-glass", () => {
  it("lets the named in whatever the policy says, over changes of it, until its time is up or it is closed", async () => {
    const said: string[] = [];
    const terminal = { out: (line: string) => void said.push(line), err: () => {} };
    const context = { host, terminal, isRoot: true } as unknown as CommandContext;
    const wish = { from: ["10.77.0.66"], ports: ["8080/tcp"], seconds: 60, close: false };
    const rogue = () => net.as("rogue", user.root).dial(address.api1.v4, 8080);
    await confirm(closed, 1, "a");
    const before = rulesetFingerprint(listing());
    expect(await rogue()).toBe("ECONNREFUSED");
    await runBreakGlass(context, wish);
    expect(said.join()).toContain("open to 10.77.0.66: 8080/tcp");
    expect([await rogue(), await dial()]).toEqual(["open", "ECONNREFUSED"]);
    // for the agent, this is no change of its rules
    expect(rulesetFingerprint(listing())).toBe(before);
    arm(open, 2, "b", 10_000);
    net.nft("api1", renderNftables(inputOf(closed, 1), "a"));
    expect(await rogue()).toBe("open");
    await runBreakGlass(context, { ...wish, close: true });
    expect(await rogue()).toBe("ECONNREFUSED");
    net.nft("api1", "flush chain inet weft input\nadd rule inet weft input goto a_input\n");
    await runBreakGlass(context, { ...wish, seconds: 1 });
    expect(await rogue()).toBe("open");
    const deadline = Date.now() + 3_000;
    while ((await rogue()) === "open" && Date.now() < deadline) await delay(50);
    expect(await rogue()).toBe("ECONNREFUSED");
    lab.clear();
    await runBreakGlass(context, wish);
    expect(said.at(-1)).toContain("no rules of Weft");
  });

  it("names nobody by itself", async () => {
    await confirm(closed, 1, "a");
    const context = { host, terminal: { out: () => {}, err: () => {} }, isRoot: true };
    await expect(
      runBreakGlass(context as unknown as CommandContext, { from: [], ports: [], seconds: 60, close: false }),
    ).rejects.toMatchObject({ code: "WEFT-E001" });
  });
});

describe("a confirm within 50 ms of the expiry", () => {
  const windowMs = 50;
  const leastTimeoutMs = 400;
  /** Longer while the machine is so busy that nothing is left of it when the confirm comes. */
  let timeoutMs = leastTimeoutMs;

  /** Half of what a confirm takes: the kernel decides about in the middle of it. */
  let leadMs = 10;

  /** Confirms one policy after the other on one machine, each at a moment around its expiry. */
  async function* confirms(
    machine: string,
  ): AsyncGenerator<{ end: "confirmed" | "undone"; from: number; to: number }> {
    const on = hostOf(machine);
    await confirm(open, 1, "a", on);
    for (let round = 0; ; round++) {
      const before = await readConfirmed(on.files);
      const time = Math.round(timeoutMs);
      const slot = otherSlot(before?.slot ?? "a");
      const content = before?.digest === digestOf(open) ? closed : open;
      const input = inputOf(content, round + 2);
      const [stage, arm] = [renderStaging(input, slot), renderArming(input.digest, time)];
      // spread evenly over the window, in an order of no meaning
      const aim = -windowMs + ((round * 37) % (2 * windowMs));
      // when the confirm began and ended, by the expiry: the kernel decided somewhere between
      let [expiry, from, to] = [0, Number.NaN, Number.NaN];
      const timed: Exec = {
        lines: on.exec.lines.bind(on.exec),
        run: async (program, args, options) => {
          const isConfirm = options?.input?.startsWith("delete element inet weft armed") === true;
          if (isConfirm) await delay(Math.max(0, expiry + aim - leadMs - performance.now()));
          const began = performance.now();
          // what the kernel refuses comes too late, and is an error of nft's
          const done = (ended = performance.now()) => {
            const middle = (began + ended) / 2;
            if (options?.input === arm) expiry = middle + time;
            if (!isConfirm) return;
            [from, to] = [began - expiry, ended - expiry];
            leadMs += ((ended - began) / 2 - leadMs) / 10;
          };
          return on.exec.run(program, args, options).finally(done);
        },
      };
      const proof = { ready: true, reached: async () => [], prove: async () => {} };
      const text = renderNftables(input, slot);
      const { revision, digest } = input;
      const end = await new DeadMan({ ...on, exec: timed }, proof)
        .put({ text, stage, arm, revision, digest, generation: revision }, never)
        .then(
          () => "confirmed" as const,
          () => "undone" as const,
        );
      const [kernel, disk] = [await readKernelTable(on.exec), await readConfirmed(on.files)];
      expect([round, kernel?.digest, kernel?.revision]).toEqual([round, disk?.digest, disk?.revision]);
      expect([round, disk?.digest]).toEqual([round, end === "confirmed" ? digest : before?.digest]);
      expect([round, kernel?.fingerprint]).toEqual([round, disk?.fingerprint]);
      expect(await readArmed(on.exec)).toBeUndefined();
      if (machine === "api1")
        expect(await dial()).toBe(disk?.digest === digestOf(open) ? "open" : "ECONNREFUSED");
      yield { end, from, to };
    }
  }

  it(`never leaves kernel and disk at odds (${rounds} times)`, async () => {
    const ends = { confirmed: 0, undone: 0 };
    let [certain, elsewhere] = [0, 0];
    const lane = async (machine: string) => {
      for await (const { end, from, to } of confirms(machine)) {
        if (from <= windowMs && to >= -windowMs) ends[end]++;
        else elsewhere++;
        timeoutMs =
          from <= windowMs ? Math.max(timeoutMs * 0.95, leastTimeoutMs) : Math.min(timeoutMs * 1.5, 4_000);
        if (from >= -windowMs && to <= windowMs) certain++;
        if (ends.confirmed + ends.undone >= rounds) return;
      }
    };
    await Promise.all(["api1", "hub", "rogue"].map(lane));
    process.stderr.write(
      `confirms within ${windowMs} ms of the expiry: ${JSON.stringify(ends)}, ${certain} of them from beginning to end; ${elsewhere} more, earlier or later\n`,
    );
    expect(ends.confirmed).toBeGreaterThan(0);
    expect(ends.undone).toBeGreaterThan(0);
  }, 1_800_000);
});
