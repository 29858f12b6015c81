// In: questions and changes. Out: what the mesh's own etcd answered, asked by etcdctl as this node's member.
// What fails is WEFT-E504, with etcdctl's reason.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { SvidFiles } from "@weft/shared/render/etcd-places";
import { briefly } from "../host/briefly.ts";
import type { Exec } from "../host/host.ts";
import type { EtcdGrant } from "./client-grants.ts";
import type { EtcdKey } from "./find-garbage.ts";
import {
  type EtcdAlarm,
  type EtcdStatus,
  parseAlarms,
  parseAuthStatus,
  parseGrants,
  parseKeys,
  parseLease,
  parseMembers,
  parseNames,
  parseStatuses,
  parseTransaction,
} from "./parse-etcdctl.ts";
import type { FoundMember } from "./plan-members.ts";

export interface EtcdctlPlaces {
  /** Path of etcdctl. */
  readonly program: string;
  /** Of this node's own member. */
  readonly endpoint: string;
  readonly svid: SvidFiles;
}

/** What has to be so, at the moment of the change. */
export interface EtcdCondition {
  readonly of: "create" | "mod";
  readonly key: string;
  readonly is: number;
}

const quickMs = 15_000;
/** Copying or rewriting a database of 512 MiB on a slow disk. */
const slowMs = 120_000;
/** A refusal is told by one of these. */
const codes = [0, 1, 2, 3, 4, 5, 128];

export class Etcdctl {
  readonly #exec: Exec;
  readonly #places: EtcdctlPlaces;

  constructor(exec: Exec, places: EtcdctlPlaces) {
    this.#exec = exec;
    this.#places = places;
  }

  /** Of those that answer; of all of them, if none is named, this node's own. */
  async statuses(signal: AbortSignal, endpoints?: readonly string[]): Promise<EtcdStatus[]> {
    const some = endpoints === undefined ? [] : [`--endpoints=${endpoints.join(",")}`];
    const { code, stdout, stderr } = await this.#ran([...some, "endpoint", "status", "-w", "json"], signal, {
      timeoutMs: quickMs * Math.max(1, endpoints?.length ?? 1),
    });
    if (code !== 0 && endpoints === undefined) throw refused(stderr);
    return parseStatuses(stdout);
  }

  async alarms(signal: AbortSignal): Promise<EtcdAlarm[]> {
    return parseAlarms(await this.do(["alarm", "list"], signal));
  }

  async auth(signal: AbortSignal): Promise<{ readonly isEnabled: boolean; readonly revision: number }> {
    return parseAuthStatus(await this.#json(["auth", "status"], signal));
  }

  async users(signal: AbortSignal): Promise<Map<string, string[]>> {
    const users = new Map<string, string[]>();
    for (const name of parseNames("users", await this.#json(["user", "list"], signal)))
      users.set(name, parseNames("roles", await this.#json(["user", "get", name], signal)));
    return users;
  }

  async roles(signal: AbortSignal): Promise<Map<string, EtcdGrant[]>> {
    const roles = new Map<string, EtcdGrant[]>();
    for (const name of parseNames("roles", await this.#json(["role", "list"], signal)))
      roles.set(name, parseGrants(await this.#json(["role", "get", name], signal)));
    return roles;
  }

  async members(signal: AbortSignal): Promise<FoundMember[]> {
    return parseMembers(await this.do(["member", "list"], signal));
  }

  async below(folder: string, signal: AbortSignal): Promise<EtcdKey[]> {
    return parseKeys(await this.#json(["get", "--prefix", folder], signal));
  }

  /** Their values left empty: whoever writes them may make them big. */
  async keysBelow(folder: string, signal: AbortSignal): Promise<EtcdKey[]> {
    return parseKeys(await this.#json(["get", "--prefix", "--keys-only", folder], signal));
  }

  async key(name: string, signal: AbortSignal): Promise<EtcdKey | undefined> {
    return parseKeys(await this.#json(["get", name], signal))[0];
  }

  /**
   * @param leader where etcd's own leader is a server: any other passes it on, which with authentication
   * enabled was seen to end in "request timed out" (3.6.16)
   * @returns false: it has not caught up, or has not started
   */
  async promote(member: string, leader: string, signal: AbortSignal): Promise<boolean> {
    const { code, stderr } = await this.#ran(
      [`--endpoints=${leader}`, "member", "promote", member],
      signal,
      {},
    );
    if (code !== 0 && !stderr.includes("can only promote a learner")) throw refused(stderr);
    return code === 0;
  }

  /** @returns its number, in hex */
  async grantLease(seconds: number, signal: AbortSignal): Promise<string> {
    return parseLease(await this.do(["lease", "grant", String(seconds)], signal));
  }

  /** @returns false: it has ended */
  async keepLease(lease: string, signal: AbortSignal): Promise<boolean> {
    const { code, stderr } = await this.#ran(["lease", "keep-alive", "--once", lease], signal, {});
    if (code !== 0 && !stderr.includes("lease not found")) throw refused(stderr);
    return code === 0;
  }

  /**
   * @param work lines as etcdctl takes them: put KEY VALUE, del KEY; see `isPlainKey`
   * @returns the revision it made, or undefined where a condition did not hold: nothing was done
   */
  async transact(
    conditions: readonly EtcdCondition[],
    work: readonly string[],
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const ifs = conditions.map(({ of, key, is }) => `${of}(${JSON.stringify(key)}) = "${is}"`);
    const input = `${[...ifs, "", ...work, "", "", ""].join("\n")}`;
    return parseTransaction(await this.#json(["txn"], signal, { input }));
  }

  /** @returns what it printed */
  async do(args: readonly string[], signal: AbortSignal): Promise<string> {
    return await this.#said(args, signal, {});
  }

  /** Takes as long as the database is big. */
  async doSlowly(args: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#said([`--command-timeout=${slowMs / 1000}s`, ...args], signal, { timeoutMs: slowMs });
  }

  async #json(args: readonly string[], signal: AbortSignal, options: Options = {}): Promise<string> {
    return await this.#said([...args, "-w", "json"], signal, options);
  }

  async #said(args: readonly string[], signal: AbortSignal, options: Options): Promise<string> {
    const { code, stdout, stderr } = await this.#ran(args, signal, options);
    if (code !== 0) throw refused(stderr);
    return stdout;
  }

  async #ran(args: readonly string[], signal: AbortSignal, { input, timeoutMs = quickMs }: Options) {
    const { program, endpoint, svid } = this.#places;
    const isElsewhere = args[0]?.startsWith("--endpoints=") === true;
    const flags = [
      ...(isElsewhere ? [] : [`--endpoints=${endpoint}`]),
      ...svidFlags(svid),
      "--dial-timeout=5s",
    ];
    return await this.#exec.run(program, [...flags, ...args], {
      signal,
      timeoutMs,
      allow: codes,
      ...(input === undefined ? {} : { input }),
    });
  }
}

/** By which etcdctl shows who asks, and knows who answers. */
export function svidFlags({ bundle, certificate, key }: SvidFiles): string[] {
  return [`--cacert=${bundle}`, `--cert=${certificate}`, `--key=${key}`];
}

interface Options {
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** A line of a transaction has no way to say any other, and no agent writes one. */
export function isPlainKey(key: string): boolean {
  return /^[\x21\x23-\x26\x28-\x5b\x5d-\x7e]+$/.test(key);
}

function refused(stderr: string): WeftError {
  // before it stand lines of the client's log
  const reason = /^Error: (.*)$/m.exec(stderr)?.[1] ?? briefly(stderr);
  return new WeftError("WEFT-E504", "the mesh's own etcd refused or cannot be reached", { why: reason });
}
