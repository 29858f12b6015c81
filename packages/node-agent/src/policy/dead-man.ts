// In: a policy to be put in force beside the confirmed one, and a way to prove that the machine is still reached. Out:
// the policy confirmed in kernel and on disk, or the one before it in force as if nothing had been tried.
//
// INVARIANTS
// - The order is: the guard ports that are reached, pending on disk, staged in the kernel, armed in the kernel, the record
//   completed on disk, proof, confirmed in the kernel, read back, confirmed on disk. What need not come before the
//   arming comes after it: until then nothing is in force.
// - What must be reached is measured while the confirmed rules judge, and written down before the others do. A pending
//   policy of which it is not known is never confirmed, nor one whose record was not completed.
// - Nothing is confirmed if the table is not the one that was armed: then something else was proved.
// - The confirming transaction begins by deleting the armed elements, which the kernel refuses once they have expired;
//   what then counts is what the kernel says when asked, never what nft returned.
// - The confirmed file can be loaded on an empty kernel at any moment, which nft has said before anything is confirmed,
//   and no armed policy is in it.
// - What was not confirmed is written down before it is cleared away: it is not tried again by itself.
import { isWeftError, messageOf, WeftError } from "@weft/shared/errors/weft-error";
import type { PortRange } from "@weft/shared/model/desired";
import type { StepArgs } from "@weft/shared/model/step";
import { renderConfirm } from "@weft/shared/render/nftables";
import { parseScriptHeader, type ScriptHeader } from "@weft/shared/render/nftables-script-header";
import { superseded } from "../apply/runner.ts";
import type { Host } from "../host/host.ts";
import { places } from "../state/places.ts";
import { sentenceOf } from "./attempt-failure.ts";
import { keepAsPrevious, readConfirmed, writeConfirmedRecord } from "./confirmed.ts";
import { goBack } from "./go-back.ts";
import {
  checkFile,
  type KernelTable,
  loadScript,
  readArmed,
  readKernelTable,
  TableMemory,
} from "./kernel-table.ts";
import {
  dropPending,
  type PendingPolicy,
  readBootId,
  readPending,
  readReverted,
  writePending,
  writePendingRecord,
  writeReverted,
} from "./pending.ts";

/** By fresh connections, both ways. */
export interface ReachProof {
  /** Somebody is there who could be asked. */
  readonly ready: boolean;
  /** The TCP ports among them that are reached now. */
  reached(guardPorts: readonly PortRange[], signal: AbortSignal): Promise<readonly number[]>;
  /** Resolves when it is proved that all of them are reached; throws a WeftError that says which is not. */
  prove(ports: readonly number[], signal: AbortSignal): Promise<void>;
}

/** What became of a policy that was pending when the agent started. */
export type Settled = "confirmed" | "reverted";

const oneProofMs = 5_000;
/** Every port may take its time to be found closed. */
const reachedMs = 10_000;
const unknownReach = "the agent ended before it had written down what is to be proved";
const tooLate = "the proof came when its time was over";
const tampered = "somebody changed the rules in the kernel while they waited for their proof";
const proveAgainMs = 250;
const lookAgainMs = 50;

export class DeadMan {
  readonly #host: Host;
  readonly #proof: ReachProof;
  readonly #memory: TableMemory;
  #judgesSince: { readonly digest: string; readonly at: Date } | undefined;

  constructor(host: Host, proof: ReachProof, memory = new TableMemory()) {
    this.#host = host;
    this.#proof = proof;
    this.#memory = memory;
  }

  #readKernel(): Promise<KernelTable | undefined> {
    return readKernelTable(this.#host.exec, this.#memory);
  }

  /** When the kernel began to judge by what was armed last: a confirm changes no verdict. undefined: another process did it. */
  get judgesSince(): { readonly digest: string; readonly at: Date } | undefined {
    return this.#judgesSince;
  }

  /**
   * Throws WEFT-E403 when it was not confirmed; WEFT-E404 when nobody says what is reached now, and WEFT-E400 when the
   * kernel refuses it: what judges is not changed then.
   */
  async put(args: StepArgs["armPolicy"], signal: AbortSignal): Promise<void> {
    const { files } = this.#host;
    const { text, generation, digest } = args;
    const header = headerOf(text);
    const reached = await this.#reached(header, signal);
    const bootId = await readBootId(files);
    const pending = { text, generation, digest, bootId, reached, fingerprint: "", slotFingerprint: "" };
    await writePending(files, pending);
    let armed: PendingPolicy;
    try {
      armed = await this.#arm(pending, args, signal);
    } catch (failure) {
      await goBack(this.#host);
      await dropPending(files);
      throw failure;
    }
    await this.#conclude(armed, header, signal);
  }

  /** Of the guard ports of the old rules and of the new: what the old rules, which judge now, let through. */
  async #reached(header: ScriptHeader, signal: AbortSignal): Promise<readonly number[]> {
    const before = await readConfirmed(this.#host.files);
    const ports = distinctPorts([...(before?.guardPorts ?? []), ...header.guardPorts]);
    try {
      return await this.#proof.reached(ports, AbortSignal.any([signal, AbortSignal.timeout(reachedMs)]));
    } catch (failure) {
      signal.throwIfAborted();
      throw new WeftError("WEFT-E404", "the new rules wait: nobody says which guard ports are reached now", {
        why: sentenceOf(failure, reachedMs),
      });
    }
  }

  /** Out: the pending policy as its record on disk tells it. */
  async #arm(
    pending: PendingPolicy,
    { stage, arm, digest }: StepArgs["armPolicy"],
    signal: AbortSignal,
  ): Promise<PendingPolicy> {
    const { files, exec, clock } = this.#host;
    const { slot } = headerOf(pending.text);
    signal.throwIfAborted();
    await loadScript(exec, stage);
    // Not in one transaction: the kernel would judge by the new rules before all of their sets are filled.
    try {
      await loadScript(exec, arm);
    } catch (failure) {
      // nft may have been killed after the kernel had taken it
      if ((await readArmed(exec))?.digest !== digest) throw failure;
    }
    this.#judgesSince = { digest, at: clock.now() };
    const table = await this.#readKernel();
    const complete = {
      ...pending,
      fingerprint: table?.fingerprint ?? "",
      slotFingerprint: table?.slots[slot] ?? "",
    };
    await writePendingRecord(files, complete);
    return complete;
  }

  /**
   * After a start: the kernel decides what a pending policy came to. One that is still armed is proved and confirmed
   * in the time it has left. undefined: none was pending.
   */
  async settle(signal: AbortSignal): Promise<Settled | undefined> {
    const { files } = this.#host;
    const pending = await readPending(files);
    if (pending === undefined) {
      // A damaged one can never be confirmed, and while there is one nothing is repaired.
      if ((await files.info(places.pendingPolicy)) !== undefined) await dropPending(files);
      return undefined;
    }
    const header = headerOf(pending.text);
    const kernel = await this.#readKernel();
    if (kernel?.revision === header.revision && kernel.digest === header.digest) {
      await this.#keep(pending, header, kernel);
      return "confirmed";
    }
    const isArmed = kernel?.armed === header.digest;
    if (isArmed && pending.reached !== undefined && pending.fingerprint !== "") {
      await this.#conclude(pending, header, signal);
      return "confirmed";
    }
    const reverted = await readReverted(files);
    const isKnown = reverted?.generation === pending.generation && reverted.digest === pending.digest;
    const isRebooted = pending.bootId !== (await readBootId(files));
    // Whether one without a whole record ever judged, nobody can tell: it is not tried again by itself either.
    const otherwise = isRebooted
      ? "the machine started anew before it was confirmed"
      : isArmed || pending.fingerprint === ""
        ? unknownReach
        : "its time was over while the agent was not there";
    await this.#revert(pending, isKnown ? reverted.reason : otherwise);
    return "reverted";
  }

  async #conclude(pending: PendingPolicy, header: ScriptHeader, signal: AbortSignal): Promise<void> {
    const { exec, clock } = this.#host;
    let reason = (await this.#unfitForBoot()) ?? (await this.#proved(pending, signal));
    if (reason === undefined) {
      try {
        await loadScript(exec, renderConfirm(header.slot, header));
      } catch (failure) {
        if (!isWeftError(failure)) throw failure;
        reason = tooLate;
      }
    }
    while (reason === undefined || reason === tooLate) {
      const kernel = await this.#readKernel();
      if (kernel?.revision === header.revision && kernel.digest === header.digest) {
        await this.#keep(pending, header, kernel);
        return;
      }
      if (kernel?.armed !== pending.digest) break;
      await clock.sleep(lookAgainMs);
    }
    const why = reason ?? "the kernel did not keep it";
    await this.#revert(pending, why);
    throw new WeftError("WEFT-E403", `revision ${header.revision} was not confirmed and is undone`, { why });
  }

  /** Why boot could not load it; undefined: it could. */
  async #unfitForBoot(): Promise<string | undefined> {
    try {
      await checkFile(this.#host.exec, places.pendingPolicy);
      return undefined;
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      return `nft would not load it at boot: ${failure.why ?? messageOf(failure)}`;
    }
  }

  /** undefined: proved. Otherwise why not, after the kernel has gone back, or must. */
  async #proved(pending: PendingPolicy, signal: AbortSignal): Promise<string | undefined> {
    const { clock } = this.#host;
    let missed: string | undefined;
    while (true) {
      let reason: string | undefined;
      try {
        const within = AbortSignal.any([signal, AbortSignal.timeout(oneProofMs)]);
        await this.#proof.prove(pending.reached ?? [], within);
      } catch (failure) {
        if (signal.aborted) throw await this.#letGo(signal);
        reason = sentenceOf(failure, oneProofMs);
      }
      // A proof that came afterwards is one of the rules before: what was missing while these judged is the reason.
      missed = reason ?? missed;
      const kernel = await this.#readKernel();
      if (kernel?.armed !== pending.digest) return missed ?? tooLate;
      // What was proved, or not, is the table as it is now.
      if (kernel.fingerprint !== pending.fingerprint) return tampered;
      if (reason === undefined) return undefined;
      await clock.sleep(proveAgainMs, signal).catch(() => {});
      if (signal.aborted) throw await this.#letGo(signal);
    }
  }

  /** A newer state takes its place at once; an agent that stops leaves it to the kernel. */
  async #letGo(signal: AbortSignal): Promise<unknown> {
    if (signal.reason === superseded) {
      await goBack(this.#host);
      await dropPending(this.#host.files);
    }
    return signal.reason;
  }

  /** On disk what the kernel has. Renaming takes the pending one away in the same moment. */
  async #keep(pending: PendingPolicy, header: ScriptHeader, kernel: KernelTable): Promise<void> {
    const { files } = this.#host;
    const { revision, digest, slot } = header;
    // Something that came into it between proof and confirm must not count for confirmed: unknown, it is loaded anew.
    const isWhole = kernel.slots[slot] === pending.slotFingerprint;
    const fingerprint = isWhole ? kernel.fingerprint : "";
    await keepAsPrevious(files, await readConfirmed(files));
    await files.rename(places.pendingPolicy, places.confirmedPolicy);
    await writeConfirmedRecord(files, { revision, digest, fingerprint });
    await files.remove(places.pendingRecord);
  }

  /** The kernel has gone back by itself; what is left of the candidate is cleared away. */
  async #revert({ generation, digest }: PendingPolicy, reason: string): Promise<void> {
    const { files } = this.#host;
    await writeReverted(files, { generation, digest, reason });
    await goBack(this.#host);
    await dropPending(files);
  }
}

function headerOf(text: string): ScriptHeader {
  const header = parseScriptHeader(text);
  if (header !== undefined) return header;
  throw new WeftError("WEFT-E003", `${places.pendingPolicy} is no policy of this release`);
}

function distinctPorts(ports: readonly PortRange[]): PortRange[] {
  return [...new Map(ports.map((port) => [`${port.protocol} ${port.from}-${port.to}`, port])).values()];
}
