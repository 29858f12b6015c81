// What the proofs run on: a lab, and what was put on its machines. In: a lab. Out: typed ways to act on it.
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { ExecOptions, ExecResult, Lab } from "../lab-src/lab.ts";

export interface Artefacts {
  /** The installation archive. */
  readonly weft: string;
  /** The components archive, for the hub. */
  readonly components: string;
  /** The demo services, bundled. */
  readonly web: string;
  readonly api: string;
}

export interface World {
  readonly lab: Lab;
  readonly artefacts: Artefacts;
  /** One line of progress. */
  readonly say: (line: string) => void;
  /** Where the services' names lead, seen from a machine; none: to the addresses of their machines, everywhere. */
  readonly serviceAddresses?: (machine: string) => Promise<{ readonly web: string; readonly api: string }>;
}

/** A claim of the quickstart and the way to observe it. run() resolves to what was seen, or throws. */
export interface Proof {
  readonly claim: string;
  run(world: World): Promise<string>;
}

export class ProofFailed extends Error {
  constructor(message: string, seen: string) {
    super(`${message}\n  seen: ${seen.trim() === "" ? "(nothing)" : seen.trim()}`);
    this.name = "ProofFailed";
  }
}

export function textOf(result: ExecResult): string {
  return `${result.stdout}${result.stderr}`.trim();
}

/** Runs a program that has to succeed. */
export async function must(
  world: World,
  machine: string,
  argv: readonly [string, ...string[]],
  options: ExecOptions = {},
): Promise<string> {
  const result = await world.lab.exec(machine, argv, options);
  if (result.code !== 0)
    throw new ProofFailed(`${machine}: ${argv.join(" ")} exited ${result.code}`, textOf(result));
  return result.stdout;
}

/** Runs a program that has to be refused; resolves to the sentence it refused with. */
export async function mustFail(
  world: World,
  machine: string,
  argv: readonly [string, ...string[]],
  expected: RegExp,
  options: ExecOptions = {},
): Promise<string> {
  const result = await world.lab.exec(machine, argv, options);
  const seen = textOf(result);
  if (result.code === 0)
    throw new ProofFailed(`${machine}: ${argv.join(" ")} should have been refused`, seen);
  const line = seen.split("\n").find((text) => expected.test(text));
  if (line === undefined)
    throw new ProofFailed(`${machine}: ${argv.join(" ")} was refused in other words`, seen);
  return line.trim();
}

/** Asks until the answer is not undefined; the last refusal is part of the error. */
export async function until<T>(
  what: string,
  deadlineMs: number,
  ask: () => Promise<T | undefined>,
  everyMs = 100,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end)
      throw new ProofFailed(
        `${what} did not happen within ${deadlineMs / 1000} s`,
        last === undefined ? "" : String(last),
      );
    await delay(everyMs);
  }
}

/** The revision and digest that the kernel of a machine carries. */
export async function kernelRevision(world: World, machine: string): Promise<number> {
  const text = await must(world, machine, ["nft", "-j", "list", "set", "inet", "weft", "rev"]);
  const found = /"elem":\s*\[\s*(?:\{"elem":\s*\{"val":\s*)?(\d+)/.exec(text);
  if (found?.[1] === undefined) throw new ProofFailed(`${machine}: the kernel carries no revision`, text);
  return Number(found[1]);
}

export function proberSource(): string {
  return readFileSync(new URL("./prober.pl", import.meta.url), "utf8");
}
