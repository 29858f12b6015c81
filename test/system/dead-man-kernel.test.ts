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
import {
  readConfirmed,
  writeConfirmedRecord,
  writeScript,
} from "../../packages/node-agent/src/policy/confirmed.ts";
import { DeadMan } from "../../packages/node-agent/src/policy/dead-man.ts";
import { readArmed, readKernelTable } from "../../packages/node-agent/src/policy/kernel-table.ts";
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

  constructor(root: string) {
    this.#root = root;
  }

  run(program: string, args: readonly string[], options: ExecOptions = {}) {
    const placed = args.map((arg) => (arg.startsWith("/var/") ? `${this.#root}${arg}` : arg));
    return this.#inner.run("ip", ["netns", "exec", net.namespaceOf("api1"), program, ...placed], options);
  }

  lines(): { readonly done: Promise<number> } {
    return { done: Promise.resolve(0) };
  }
}

const root = mkdtempSync(join(tmpdir(), "weft-dead-man-"));
const host: Host = {
  files: new LinuxFiles(root),
  exec: new NamespaceExec(root),
  units: new FakeUnits(),
  clock: new LinuxClock(),
};

beforeAll(() => lab.up(), 300_000);
afterAll(async () => {
  await net.down();
  rmSync(root, { recursive: true, force: true });
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

async function confirm(content: typeof open, revision: number, slot: Slot): Promise<void> {
  const input = inputOf(content, revision);
  const text = renderNftables(input, slot);
  net.nft("api1", text);
  await writeScript(host.files, places.confirmedPolicy, text);
  await writeConfirmedRecord(host.files, { ...input, fingerprint: rulesetFingerprint(listing()) });
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
  it(`never leaves kernel and disk at odds (${rounds} times)`, async () => {
    const timeoutMs = 300;
    const ends = { confirmed: 0, undone: 0 };
    await confirm(open, 1, "a");
    for (let round = 0; round < rounds; round++) {
      const before = await readConfirmed(host.files);
      const slot = otherSlot(before?.slot ?? "a");
      const content = before?.digest === digestOf(open) ? closed : open;
      const input = inputOf(content, round + 2);
      const [stage, arm] = [renderStaging(input, slot), renderArming(input.digest, timeoutMs)];
      // the proof comes at a moment spread evenly around the expiry; the confirm itself takes some milliseconds
      const at = timeoutMs - 50 + (100 * round) / rounds;
      let armedAt = 0;
      const exec = host.exec;
      const timed: Exec = {
        lines: exec.lines.bind(exec),
        run: async (program, args, options) => {
          const result = await exec.run(program, args, options);
          if (options?.input === arm) armedAt = performance.now();
          return result;
        },
      };
      const prove = () => delay(Math.max(0, armedAt + at - performance.now()));
      const man = new DeadMan({ ...host, exec: timed }, { ready: true, reached: async () => [], prove });
      const text = renderNftables(input, slot);
      const { revision, digest } = input;
      const end = await man.put({ text, stage, arm, revision, digest, generation: revision }, never).then(
        () => "confirmed" as const,
        () => "undone" as const,
      );
      ends[end]++;
      const [kernel, disk] = [await readKernelTable(host.exec), await readConfirmed(host.files)];
      expect([round, kernel?.digest, kernel?.revision]).toEqual([round, disk?.digest, disk?.revision]);
      expect([round, disk?.digest]).toEqual([round, end === "confirmed" ? digest : before?.digest]);
      expect([round, kernel?.fingerprint]).toEqual([round, disk?.fingerprint]);
      expect(await readArmed(host.exec)).toBeUndefined();
      expect(await dial()).toBe(disk?.digest === digestOf(open) ? "open" : "ECONNREFUSED");
    }
    process.stderr.write(`confirms around the expiry: ${JSON.stringify(ends)}\n`);
    expect(ends.confirmed).toBeGreaterThan(0);
    expect(ends.undone).toBeGreaterThan(0);
  }, 1_800_000);
});
