// The way back in a real kernel, without a machine around it: what nft's monitor does with elements of interval sets does
// not keep it from being found, and where process numbers mean what they say the culprit is described from /proc.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import type { Exec, ExecOptions, Host } from "../../packages/node-agent/src/host/host.ts";
import { LinuxClock } from "../../packages/node-agent/src/host/linux-clock.ts";
import { LinuxExec } from "../../packages/node-agent/src/host/linux-exec.ts";
import { LinuxFiles } from "../../packages/node-agent/src/host/linux-files.ts";
import { LinuxSockets } from "../../packages/node-agent/src/host/linux-sockets.ts";
import { writeConfirmedRecord, writeScript } from "../../packages/node-agent/src/policy/confirmed.ts";
import { readKernelTable, TableMemory } from "../../packages/node-agent/src/policy/kernel-table.ts";
import { type ChangeWord, KernelWatch } from "../../packages/node-agent/src/policy/kernel-watch.ts";
import { LeakWitness } from "../../packages/node-agent/src/policy/leak-witness.ts";
import { TableRepair } from "../../packages/node-agent/src/policy/table-repair.ts";
import { places } from "../../packages/node-agent/src/state/places.ts";
import { digestOf } from "../../packages/shared/src/plan/canonical.ts";
import { eventually } from "../support/eventually.ts";
import { FakeUnits } from "../support/fake-host.ts";
import { compile, PolicyNet } from "../support/policy-net.ts";

const lab = new PolicyNet();
const { net, address, user } = lab;

class NamespaceExec implements Exec {
  readonly #inner = new LinuxExec();
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  #at(program: string, args: readonly string[]): string[] {
    const placed = args.map((arg) => (arg.startsWith("/var/") ? `${this.#root}${arg}` : arg));
    return ["netns", "exec", net.namespaceOf("api1"), program, ...placed];
  }

  run(program: string, args: readonly string[], options: ExecOptions = {}) {
    return this.#inner.run("ip", this.#at(program, args), options);
  }

  lines(
    program: string,
    args: readonly string[],
    onLine: (line: string, length: number) => void,
    signal: AbortSignal,
  ) {
    return this.#inner.lines("ip", this.#at(program, args), onLine, signal);
  }
}

/** What is under /proc is this machine's own. */
class FilesWithProc extends LinuxFiles {
  readonly #machine = new LinuxFiles();

  override readText(path: string) {
    return path.startsWith("/proc/") ? this.#machine.readText(path) : super.readText(path);
  }

  override info(path: string) {
    return path.startsWith("/proc/") ? this.#machine.info(path) : super.info(path);
  }
}

/** With enough ranges that nft's monitor would print hundreds of MiB. */
const ranges = Array.from(
  { length: 400 },
  (_, index) => `{ cidr: 172.${16 + (index >> 8)}.${index & 255}.0/24 }`,
);
const policies = `policies:
  - { name: offices, from: [${ranges.join(", ")}], to: api, ports: [feed] }
`;

let root: string;
let host: Host;
let watch: KernelWatch;
let repair: TableRepair;
let witness: LeakWitness;
let stop: AbortController;
let running: Promise<unknown>;
let logged: string[];
let heard: ChangeWord[];
let intruder: ChildProcess | undefined;

/** As long as every change since then would have been heard by name. */
async function surelyListening(): Promise<void> {
  const at = performance.now();
  await eventually("a monitor that has listened for a while", () => performance.now() - at > 3_000, 5_000);
}

const isWhole = async (fingerprint: string) =>
  (await readKernelTable(host.exec))?.fingerprint === fingerprint;
const repairs = () => logged.filter((line) => line.includes("; put back ")).length;
const counted = () => logged.filter((line) => /first packets|no connection|at most the/.test(line)).length;

/** Loads it as confirmed, and resolves to what the kernel then has. */
function confirm(): Promise<string> {
  return repair.exclusively(load);
}

async function load(): Promise<string> {
  lab.enforce(policies);
  const content = compile(policies).get("api1")!;
  await writeScript(host.files, places.confirmedPolicy, lab.script(content));
  const table = await readKernelTable(host.exec);
  const [revision, digest] = [lab.revision, digestOf(content)];
  const fingerprint = table?.fingerprint ?? "";
  await writeConfirmedRecord(host.files, { revision, digest, fingerprint });
  return fingerprint;
}

async function strike(change: () => void, fingerprint: string): Promise<number> {
  const before = repairs();
  const began = performance.now();
  change();
  await eventually("the repair", () => repairs() > before, 25_000);
  const took = performance.now() - began;
  expect(await isWhole(fingerprint)).toBe(true);
  return took;
}

beforeAll(() => lab.up(), 300_000);
afterAll(() => net.down());

beforeEach(async () => {
  lab.clear();
  root = mkdtempSync(join(tmpdir(), "weft-repair-"));
  const lines: string[] = [];
  logged = lines;
  heard = [];
  const exec = new NamespaceExec(root);
  const [units, sockets, clock] = [new FakeUnits(), new LinuxSockets(root), new LinuxClock()];
  host = { files: new FilesWithProc(root), exec, units, sockets, clock };
  const say = (line: string) => void lines.push(line);
  const log = { info: say, warn: say, error: say };
  witness = new LeakWitness(host);
  repair = new TableRepair({ host, log, witness, memory: new TableMemory(), onRepair: () => {} });
  watch = new KernelWatch(host, (word) => {
    heard.push(word);
    repair.heard(word);
  });
  stop = new AbortController();
  running = Promise.all([watch, repair, witness].map((part) => part.run(stop.signal)));
});

afterEach(async () => {
  intruder?.kill("SIGKILL");
  intruder = undefined;
  // each repair counts afterwards, and must not do so in the next test
  await eventually("the counts", () => counted() >= repairs(), 10_000);
  stop.abort();
  await running;
  rmSync(root, { recursive: true, force: true });
});

describe("the way back", () => {
  it("describes a culprit that still lives, from where process numbers mean what they say", async () => {
    const fingerprint = await confirm();
    await surelyListening();
    intruder = spawn("ip", ["netns", "exec", net.namespaceOf("api1"), "nft", "-i"], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    await strike(() => void intruder?.stdin?.write("delete table inet weft\n"), fingerprint);
    expect(logged.find((line) => line.includes("; put back "))).toMatch(
      new RegExp(`by nft \\(process ${intruder.pid}(, \\S*nft)?\\) run by (node|MainThread)`),
    );
  }, 90_000);

  it("is taken after edits of interval sets too, which nft's monitor hides or dies of", async () => {
    const fingerprint = await confirm();
    await surelyListening();
    heard = [];
    const times: number[] = [];
    for (const from of [1, 2]) {
      const element = `add element inet weft a_in_tcp_cidr4 { 8080 . 198.51.100.${from} }`;
      times.push(await strike(() => net.nft("api1", element), fingerprint));
    }
    // whoever did it is heard, though not what
    expect(heard.some(({ author, acts }) => author !== undefined && acts.length === 0)).toBe(true);
    process.stderr.write(`edits of an interval set repaired after ms: ${times.map(Math.round).join(" ")}\n`);
  }, 90_000);

  it("is taken right after a load that makes nft's monitor print a torrent", async () => {
    await confirm();
    const fingerprint = await confirm();
    const took = await strike(() => net.nft("api1", "flush ruleset"), fingerprint);
    process.stderr.write(`a flush right after a load of 400 ranges repaired after ${Math.round(took)} ms\n`);
    await eventually("the count", () => counted() > 0, 10_000);
    expect(logged.find((line) => line.includes("at most"))).toMatch(/flushed as well: at most the \d+ TCP/);
  }, 90_000);

  it.each([
    [
      "a chain that drops everything",
      "add chain inet weft evil { type filter hook input priority -1; policy drop; }",
    ],
    [
      "ours at another priority",
      "delete chain inet weft input\nadd chain inet weft input { type filter hook input priority 100; policy drop; }",
    ],
    ["a set of somebody's", "add set inet weft evil { type ipv4_addr; }"],
  ])(
    "is taken by a new table when a load would leave %s",
    async (_, change) => {
      const fingerprint = await confirm();
      await surelyListening();
      const took = await strike(() => net.nft("api1", `${change}\n`), fingerprint);
      process.stderr.write(`${change.split("\n").at(-1)}: repaired after ${Math.round(took)} ms\n`);
    },
    90_000,
  );

  it("is taken after work in which nobody listened, whenever it was in the way", async () => {
    const fingerprint = await confirm();
    await surelyListening();
    await watch.apart(async () => {
      await eventually("the end of the monitor", () => !watch.unchangedSince(Date.now()), 5_000);
      net.nft("api1", "flush chain inet weft input");
    });
    // nobody heard it; the first look of the next monitor finds it
    await eventually("the repair", () => repairs() > 0, 5_000);
    expect(await isWhole(fingerprint)).toBe(true);
    const took = await strike(() => net.nft("api1", "flush chain inet weft input"), fingerprint);
    process.stderr.write(
      `flushed as soon as nobody worked any more: repaired after ${Math.round(took)} ms\n`,
    );
  }, 90_000);

  it("counts what passed, by what the policy forbids, and nothing else", async () => {
    const fingerprint = await confirm();
    await eventually("the witness", async () => (await witness.takeLeaks())?.kind === "counted");
    // refused while the rules are there
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).not.toBe("open");
    expect(await witness.takeLeaks()).toEqual({ kind: "counted", packets: 0, flows: 0, isAtLeast: false });
    // nobody puts anything back for a moment
    await repair.exclusively(async () => {
      net.nft("api1", "delete table inet weft");
      expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("open");
      expect(await net.as("rogue", user.root).dial(address.api1.v6, 8080)).toBe("open");
      // no service of the mesh: nobody forbids it
      expect(await net.as("rogue", user.root).dial(address.api1.v4, 9999)).toBe("open");
      // from here to a service that this user may not call
      expect(await net.as("api1", user.mallory).dial(address.web1.v4, 9998)).not.toBe("open");
    });
    await eventually("the count", () => counted() > 0, 10_000);
    expect(await isWhole(fingerprint)).toBe(true);
    expect(logged.find((line) => line.includes("first packets"))).toMatch(
      /^policy: 2 first packets .*\(2 pairs/,
    );
  }, 90_000);
});
