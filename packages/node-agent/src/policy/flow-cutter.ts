// What ends flows that the rules now in force forbid. In: the rules as the kernel has them, the flows it carries. Out: the
// forbidden ones ended at both ends, the others untouched, and a count. Asked after the coordinator was told, and never
// while a policy is armed: what a candidate forbids ends only when it is confirmed, and what it allowed when it is not.
import { isWeftError } from "@weft/shared/errors/weft-error";
import { type NftTable, parseRuleset } from "@weft/shared/kernel-verdict/ruleset";
import { type ForbiddenFlow, type JudgedFlows, judgeFlows } from "../cut/judge-flows.ts";
import type { FoundNetworks, OtherNetworks } from "../cut/other-networks.ts";
import { type FlowReading, isForwarding, readFlows } from "../cut/read-flows.ts";
import { endSockets } from "../cut/socket-ender.ts";
import { forgetTracked } from "../cut/track-ender.ts";
import type { Exec, Files } from "../host/host.ts";

export interface CutResult {
  readonly ended: number;
  /** What the rules say of them is not known, so they were left. */
  readonly leftUnknown: number;
  /** Forbidden, and still there. */
  readonly failed: number;
  /** Forbidden, and left because that was asked for. */
  readonly kept: number;
  /** Why not all could be ended, or looked at. */
  readonly trouble: readonly string[];
  /** Some were not looked at, and may be the next time. */
  readonly again?: boolean | undefined;
}

export interface FlowCutter {
  /** @param keep only count. undefined: a policy is armed, and nothing is looked at. Throws when flows cannot be read. */
  cut(keep: boolean, signal?: AbortSignal): Promise<CutResult | undefined>;
}

export interface CutterParts {
  readonly exec: Exec;
  readonly files: Files;
  readonly others: OtherNetworks;
  /** Whether this kernel ends sockets when asked at all. */
  readonly canEndSockets: () => Promise<boolean>;
}

/** One that was just passed from hand to hand is there in the second look. */
const rounds = 2;

interface Look extends JudgedFlows {
  readonly blind: string | undefined;
}

export class KernelFlowCutter implements FlowCutter {
  readonly #parts: CutterParts;

  constructor(parts: CutterParts) {
    this.#parts = parts;
  }

  async cut(keep: boolean): Promise<CutResult | undefined> {
    const { exec, files } = this.#parts;
    // listing them takes as long as reading the flows does
    const early = (await isForwarding(files)) && !keep ? this.#parts.others.find() : undefined;
    const [table, reading] = await Promise.all([readRules(exec), readFlows(exec, files)]);
    if ((table?.sets.get("armed")?.elements.length ?? 0) > 0) return undefined;
    const nothing = { ended: 0, leftUnknown: 0, failed: 0, kept: 0, trouble: [] };
    if (table === undefined) return nothing;
    let look = lookAt(table, reading);
    if (keep) return { ...nothing, leftUnknown: look.unknown, kept: look.forbidden.length };
    const tried = new Set<string>();
    const trouble = new Set<string>(
      look.blind === undefined ? [] : [`flows that pass through: ${look.blind}`],
    );
    for (let round = 0; round < rounds && look.forbidden.length > 0; round++) {
      for (const { key } of look.forbidden) tried.add(key);
      for (const reason of await this.#end(look.forbidden, early)) trouble.add(reason);
      look = lookAt(table, await readFlows(exec, files));
    }
    const failed = look.forbidden.filter(({ key }) => tried.has(key));
    if (failed.length > 0) trouble.add(await this.#reasonOf(failed));
    return {
      ...nothing,
      ended: tried.size - failed.length,
      failed: failed.length,
      leftUnknown: look.unknown,
      trouble: [...trouble],
    };
  }

  /** Why something could not even be tried. */
  async #end(flows: readonly ForbiddenFlow[], early: Promise<FoundNetworks> | undefined): Promise<string[]> {
    const { exec, others } = this.#parts;
    const run: Exec["run"] = (program, args, options) => exec.run(program, args, options);
    const ends = flows.flatMap((flow) => flow.elsewhere);
    const endElsewhere = async () =>
      ends.length === 0 ? undefined : (await (early ?? others.find())).end(ends);
    // First the sockets: their resets find the way by the translation that connection tracking still has.
    const [, elsewhere] = await Promise.all([
      endSockets(
        run,
        flows.flatMap(({ sockets }) => sockets),
      ),
      endElsewhere(),
    ]);
    const tracked = await forgetTracked(
      exec,
      flows.flatMap((flow) => flow.tracked ?? []),
    );
    return [elsewhere, tracked].filter((reason) => reason !== undefined);
  }

  async #reasonOf(failed: readonly ForbiddenFlow[]): Promise<string> {
    if (failed.every(({ sockets }) => sockets.length === 0)) return "connection tracking still holds them";
    if (await this.#parts.canEndSockets()) return "their sockets are still there";
    return "this kernel does not end sockets when asked (CONFIG_INET_DIAG_DESTROY)";
  }
}

function lookAt(table: NftTable, { seen, blind }: FlowReading): Look {
  return { ...judgeFlows(table, seen), blind };
}

/** undefined: there are none. */
async function readRules(exec: Exec): Promise<NftTable | undefined> {
  try {
    const { stdout } = await exec.run("nft", ["-j", "list", "table", "inet", "weft"]);
    return parseRuleset(stdout).find(({ family, name }) => family === "inet" && name === "weft");
  } catch (failure) {
    if (isWeftError(failure) && /No such file or directory/.test(failure.why ?? "")) return undefined;
    throw failure;
  }
}
