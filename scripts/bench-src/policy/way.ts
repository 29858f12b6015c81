// A way to change one verdict on many machines at once: who may call a port. What the bench compares.
import type { World } from "../../quickstart-src/world.ts";

export interface Machines {
  /** All that are changed, the hub first. */
  readonly all: readonly string[];
  /** From which the change is made. */
  readonly hub: string;
  /** Address of the prober: allowed, or not. */
  readonly prober: string;
}

/** What was done, by the machines' own clock: seconds since 1970. */
export interface Change {
  readonly began: number;
  /** The command came back. */
  readonly returned: number;
  readonly output: string;
}

export interface Way {
  readonly name: string;
  /** Of the port it guards: each way has one of its own, so that none disturbs another. */
  readonly port: number;
  /** Everything warm: connections that are kept, sessions that are shared. Leaves the port closed. */
  prepare(world: World, machines: Machines): Promise<void>;
  change(world: World, machines: Machines, open: boolean): Promise<Change>;
}

/** Runs a command on the hub between two readings of the clock. Non-zero exit codes are errors. */
export async function timedOnHub(world: World, hub: string, script: string, input?: string): Promise<Change> {
  const argv = ["/bin/sh", "-c", `date +%s.%N; { ${script}\n} >&2 || exit 1; date +%s.%N`] as const;
  const result = await world.lab.exec(hub, argv, input === undefined ? {} : { input });
  const [began, returned] = result.stdout.trim().split("\n").map(Number);
  if (result.code !== 0 || began === undefined || returned === undefined)
    throw new Error(`${script} on ${hub} ended with ${result.code}: ${result.stderr}`);
  return { began, returned, output: result.stderr };
}

/** The table of a way that is not Weft: one set of who may call, one rule for the rest. */
export function rivalTable(name: string, port: number): string {
  return `table inet ${name} {
  set callers { type ipv4_addr; }
  chain input {
    type filter hook input priority 10; policy accept;
    tcp dport ${port} ip saddr @callers accept
    tcp dport ${port} reject with tcp reset
  }
}
`;
}

/** On one line: one transaction. */
export function rivalChange(name: string, caller: string, open: boolean): string {
  return open ? `add element inet ${name} callers { ${caller} }` : `flush set inet ${name} callers`;
}
