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
// - What has judged and is not confirmed is REVERTED, whatever failed, written down before it is cleared away: nothing arms
//   it again by itself.
import { isWeftError, messageOf, WeftError } from "@weft/shared/errors/weft-error";
import type { StepArgs } from "@weft/shared/model/step";
import { renderConfirm } from "@weft/shared/render/nftables";
import type { ScriptHeader } from "@weft/shared/render/nftables-script-header";
import { superseded } from "../apply/runner.ts";
import type { Host } from "../host/host.ts";
import { places } from "../state/places.ts";
import { armedSince } from "./armed-since.ts";
import { sentenceOf } from "./attempt-failure.ts";
import { type ConfirmedPolicy, keepAsPrevious, readConfirmed, writeConfirmedRecord } from "./confirmed.ts";
import { goBack } from "./go-back.ts";
import {
  checkFile,
  isAlone,
  type KernelTable,
  loadScript,
  partsOf,
  readArmed,
  readKernelTable,
  TableMemory,
  unknownParts,
} from "./kernel-table.ts";
import {
  dropPending,
  headerOf,
  type PendingPolicy,
  readBootId,
  readPending,
  readReverted,
  writePending,
  writePendingRecord,
  writeReverted,
} from "./pending.ts";
import { ReachBefore, type ReachProof } from "./reach-before.ts";

/** What became of a policy that was pending when the agent started. */
export type Settled = "confirmed" | "reverted";

const oneProofMs = 5_000;
const unknownReach = "the agent ended before it had written down what is to be proved";
const tooLate = "the proof came when its time was over";
const tampered = "somebody changed the rules in the kernel while they waited for their proof";
const proveAgainMs = 250;
const lookAgainMs = 50;

export class DeadMan {
  readonly #host: Host;
  readonly #proof: ReachProof;
  readonly #memory: TableMemory;
  readonly #reach: ReachBefore;
  #judgesSince: { readonly digest: string; readonly at: Date } | undefined;

  constructor(host: Host, proof: ReachProof, memory = new TableMemory()) {
    this.#host = host;
    this.#proof = proof;
    this.#memory = memory;
    this.#reach = new ReachBefore(proof);
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
    const before = await readConfirmed(files);
    const reached = await this.#reach.of(before, header, signal);
    const bootId = await readBootId(files);
    const pending = { text, generation, digest, bootId, reached, fingerprint: "", slotFingerprint: "" };
    await writePending(files, pending);
    try {
      await this.#arm(args, signal);
    } catch (failure) {
      await goBack(this.#host);
      await dropPending(files);
      throw failure;
    }
    let armed: PendingPolicy;
    try {
      armed = await this.#completed(pending, header, before);
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      return this.#undo(pending, header, sentenceOf(failure, 0));
    }
    this.#judgesSince = { digest, at: await armedSince(this.#host, this.#judgesSince?.at) };
    await this.#conclude(armed, header, signal);
  }

  isAsked(digest: string): boolean {
    return this.#reach.isAsked(digest);
  }

  /** Before a `put` of the same text, since it may take seconds. Counts until `unask`. Throws WEFT-E404. */
  async ask(text: string, signal: AbortSignal): Promise<void> {
    await this.#reach.ask(await readConfirmed(this.#host.files), headerOf(text), signal);
  }
  unask(): void {
    this.#reach.unask();
  }

  async #arm({ stage, arm, digest }: StepArgs["armPolicy"], signal: AbortSignal): Promise<void> {
    const { exec, clock } = this.#host;
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
  }

  /** Out: the pending policy as its record on disk tells it. */
  async #completed(
    pending: PendingPolicy,
    { slot }: ScriptHeader,
    before: ConfirmedPolicy | undefined,
  ): Promise<PendingPolicy> {
    const table = await this.#readKernel();
    const fallback = before?.slot === undefined ? undefined : table?.slots[before.slot];
    const wanted = before?.parts.slot ?? "";
    if (table === undefined || (wanted !== "" && fallback !== wanted))
      throw new WeftError("WEFT-E403", tampered);
    const { fingerprint } = table;
    const complete = { ...pending, fingerprint, slotFingerprint: table.slots[slot] };
    await writePendingRecord(this.#host.files, complete);
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
    const reverted = await readReverted(files);
    if (reverted?.generation === pending.generation && reverted.digest === pending.digest) {
      await this.#revert(pending, reverted.reason);
      return "reverted";
    }
    const isArmed = kernel?.armed === header.digest;
    if (isArmed && pending.reached !== undefined && pending.fingerprint !== "") {
      await this.#conclude(pending, header, signal);
      return "confirmed";
    }
    const isRebooted = pending.bootId !== (await readBootId(files));
    // Whether one without a whole record ever judged, nobody can tell: it is not tried again by itself either.
    const otherwise = isRebooted
      ? "the machine started anew before it was confirmed"
      : isArmed || pending.fingerprint === ""
        ? unknownReach
        : "its time was over while the agent was not there";
    await this.#revert(pending, otherwise);
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
    await this.#undo(pending, header, reason ?? "the kernel did not keep it");
  }

  async #undo(pending: PendingPolicy, { revision }: ScriptHeader, why: string): Promise<never> {
    await this.#revert(pending, why);
    throw new WeftError("WEFT-E403", `revision ${revision} was not confirmed and is undone`, { why });
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
    const before = await readConfirmed(files);
    const known = before?.parts ?? unknownParts;
    const parts = partsOf(kernel, slot);
    // What came into the table since it was armed, also while no agent was there, must not count for confirmed:
    // without a fingerprint the policy is loaded anew.
    const isWhole =
      parts.slot === pending.slotFingerprint && known.frame !== "" && isAlone(kernel, slot, known);
    await keepAsPrevious(files, before);
    await files.rename(places.pendingPolicy, places.confirmedPolicy);
    await writeConfirmedRecord(files, {
      revision,
      digest,
      fingerprint: isWhole ? kernel.fingerprint : "",
      parts: isWhole ? parts : { ...known, slot: "" },
    });
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
