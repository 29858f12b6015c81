// Runs on a machine of the lab, as root, beside the agent. In: lines of JSON: {"id": N, "kill": MOMENT} to kill the agent
// with all its children at that moment of its next change. Out: lines of JSON: what is on disk and in the kernel at its death.
// Nothing of the agent is changed for it: the moments are those at which a step's effect can be seen from outside.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, statSync, watch, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const policy = "/var/lib/weft/policy";
const cgroup = "/sys/fs/cgroup/system.slice/weft-node-agent.service";

/** The rest of a policy file, if its first line is right; the text matters little, so its digest stands for it. */
function digestIn(name: string): string {
  const text = readOr(`${policy}/${name}`);
  return /^ {2}\d+ comment "digest=(\w+)"$/m.exec(text)?.[1] ?? "";
}

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function nft(...args: string[]): string {
  try {
    return execFileSync("nft", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return "";
  }
}

/** What a dead agent has left. */
function left() {
  const record = readOr(`${policy}/pending.json`);
  const base = nft("list", "chain", "inet", "weft", "input");
  return {
    id,
    pending: digestIn("pending.nft"),
    record: record === "" ? "none" : /"fingerprint":"\w+"/.test(record) ? "complete" : "begun",
    staged: base.includes("@armed"),
    armed: /digest=(\w+)/.exec(nft("list", "set", "inet", "weft", "armed"))?.[1] ?? "",
    kernel: /digest=(\w+)/.exec(nft("list", "set", "inet", "weft", "rev"))?.[1] ?? "",
    confirmed: digestIn("confirmed.nft"),
    previous: digestIn("previous.nft"),
    recorded: /"digest":"(\w+)"/.exec(readOr(`${policy}/confirmed.json`))?.[1] ?? "",
    proving: seen.has("proof"),
    seen: [...seen],
  };
}

const write = (file: string, text: string) => {
  try {
    writeFileSync(`${cgroup}/${file}`, text);
  } catch {
    // it is not there: dead already
  }
};
const isDead = () => !/populated 1/.test(readOr(`${cgroup}/cgroup.events`));
const say = (value: unknown) => void process.stdout.write(`${JSON.stringify(value)}\n`);

/** What was seen of the change under way. */
const seen = new Set<string>();
let wanted = "";
let id = 0;

function died(): void {
  wanted = "";
  while (!isDead());
  say(left());
}

function kill(): void {
  write("cgroup.kill", "1");
  died();
}

/** The steps after the kernel has confirmed follow each other faster than a word of them: looked for without a pause. */
const files: Readonly<Record<string, string>> = {
  previous: `${policy}/previous.nft`,
  renamed: `${policy}/confirmed.nft`,
  recorded: `${policy}/confirmed.json`,
};
const numberOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.ino;
let numbers: Record<string, number | undefined> = {};

function killAtNew(moment: string, path: string): void {
  const deadline = Date.now() + 2_000;
  while (numberOf(path) === numbers[moment] && Date.now() < deadline);
  kill();
}

function happened(moment: string): void {
  if (moment === "taken") seen.clear();
  if (seen.has(moment)) return;
  seen.add(moment);
  if (wanted === moment) kill();
  if (moment === "completed")
    numbers = Object.fromEntries(Object.entries(files).map(([name, path]) => [name, numberOf(path)]));
  const path = files[wanted];
  if (moment === "confirmed" && path !== undefined) killAtNew(wanted, path);
}

watch("/var/lib/weft/agent", (_, name) => {
  if (name === "desired.json") happened("taken");
});
watch(policy, (_, name) => {
  if (name === "pending.nft" && existsSync(`${policy}/pending.nft`)) happened("pending");
  else if (name === "pending.json" && seen.has("pending") && existsSync(`${policy}/pending.json`)) {
    if (/"fingerprint":"\w+"/.test(readOr(`${policy}/pending.json`))) happened("completed");
  }
});
if (!existsSync("/run/ssh22/coordinator")) {
  execFileSync("mkdir", ["-p", "/run/ssh22"]);
  writeFileSync("/run/ssh22/coordinator", "");
}
watch("/run/ssh22", () => {
  if (seen.has("completed") && !seen.has("confirmed")) happened("proof");
});

// The agent's transactions, in their order. Not by `nft monitor`, which dies of the elements of interval sets.
const generations = spawn("perl", ["/srv/generations.pl"], { stdio: ["ignore", "pipe", "inherit"] });
createInterface({ input: generations.stdout }).on("line", () => {
  if (!seen.has("pending")) return;
  if (!seen.has("staged")) happened("staged");
  else if (seen.has("completed")) happened("confirmed");
  else happened("armed");
});

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const order: { id: number; kill?: string } = JSON.parse(line);
    id = order.id;
    wanted = order.kill ?? "";
    // without a moment: only tell what there is
    if (wanted === "") say(left());
  })
  .on("close", () => {
    generations.kill();
    process.exit(0);
  });
say({ id: 0 });
