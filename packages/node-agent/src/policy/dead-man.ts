// In: a policy to be put in force beside the confirmed one, and a way to prove that the machine is still reached. Out:
// the policy confirmed in kernel and on disk, or the one before it in force as if nothing had been tried.
//
// INVARIANTS
// - The order is: pending on disk, armed in the kernel, proof, confirmed in the kernel, read back, confirmed on disk.
// - The confirming transaction begins by deleting the armed elements, which the kernel refuses once they have expired;
//   what then counts is what the kernel says when asked, never what nft returned.
// - The confirmed file can be loaded on an empty kernel at any moment, and no armed policy is in it.
// - What was not confirmed is written down before it is cleared away: it is not tried again by itself.
import { isWeftError, messageOf, WeftError } from "@weft/shared/errors/weft-error";
import type { PortRange } from "@weft/shared/model/desired";
import type { StepArgs } from "@weft/shared/model/step";
import { renderConfirm } from "@weft/shared/render/nftables";
import { parseScriptHeader, type ScriptHeader } from "@weft/shared/render/nftables-script-header";
import { superseded } from "../apply/runner.ts";
import type { Host } from "../host/host.ts";
import { places } from "../state/places.ts";
import { policyMode, readConfirmed, writeConfirmedRecord } from "./confirmed.ts";
import { checkFile, loadFile, loadScript, readArmed, readKernelTable } from "./kernel-table.ts";
import {
  dropPending,
  type PendingPolicy,
  readBootId,
  readPending,
  readReverted,
  writePending,
  writeReverted,
} from "./pending.ts";

/** By fresh connections, both ways. */
export interface ReachProof {
  /** Somebody is there who could be asked. */
  readonly ready: boolean;
  /** Resolves when it is proved; throws a WeftError that says what is not reached. */
  prove(guardPorts: readonly PortRange[], signal: AbortSignal): Promise<void>;
}

/** What became of a policy that was pending when the agent started. */
export type Settled = "confirmed" | "reverted" | "never-armed";

const oneProofMs = 5_000;
const proveAgainMs = 250;
const lookAgainMs = 50;

export class DeadMan {
  readonly #host: Host;
  readonly #proof: ReachProof;

  constructor(host: Host, proof: ReachProof) {
    this.#host = host;
    this.#proof = proof;
  }

  /** Throws WEFT-E403 when it was not confirmed, and WEFT-E400 when the kernel refuses it; nothing is changed then. */
  async put(args: StepArgs["armPolicy"], signal: AbortSignal): Promise<void> {
    const { files } = this.#host;
    const { text, generation, digest } = args;
    const pending = { text, generation, digest, bootId: await readBootId(files) };
    await writePending(files, pending);
    try {
      await this.#arm(args, signal);
    } catch (failure) {
      await dropPending(files);
      throw failure;
    }
    await this.#conclude(pending, headerOf(text), signal);
  }

  async #arm({ arm, digest }: StepArgs["armPolicy"], signal: AbortSignal): Promise<void> {
    const { exec } = this.#host;
    await checkFile(exec, places.pendingPolicy);
    signal.throwIfAborted();
    try {
      await loadScript(exec, arm);
    } catch (failure) {
      // nft may have been killed after the kernel had taken it
      if ((await readArmed(exec))?.digest !== digest) throw failure;
    }
  }

  /**
   * After a start: the kernel decides what a pending policy came to. One that is still armed is proved and confirmed
   * in the time it has left. undefined: none was pending.
   */
  async settle(signal: AbortSignal): Promise<Settled | undefined> {
    const { files, exec } = this.#host;
    const pending = await readPending(files);
    if (pending === undefined) return undefined;
    const header = headerOf(pending.text);
    const kernel = await readKernelTable(exec);
    if (kernel?.revision === header.revision && kernel.digest === header.digest) {
      await this.#keep(header, kernel.fingerprint);
      return "confirmed";
    }
    if ((await readArmed(exec))?.digest === header.digest) {
      await this.#conclude(pending, header, signal);
      return "confirmed";
    }
    const reverted = await readReverted(files);
    const isKnown = reverted?.generation === pending.generation && reverted.digest === pending.digest;
    const confirmed = await readConfirmed(files);
    const isUntouched = kernel !== undefined && kernel.fingerprint === confirmed?.fingerprint;
    const isRebooted = pending.bootId !== (await readBootId(files));
    if (isUntouched && !isKnown && !isRebooted) {
      await dropPending(files);
      return "never-armed";
    }
    const otherwise = isRebooted
      ? "the machine started anew before it was confirmed"
      : "its time was over while the agent was not there";
    await this.#revert(pending, isKnown ? reverted.reason : otherwise);
    return "reverted";
  }

  async #conclude(pending: PendingPolicy, header: ScriptHeader, signal: AbortSignal): Promise<void> {
    const { exec, clock } = this.#host;
    let reason = await this.#proved(pending, header, signal);
    if (reason === undefined) {
      try {
        await loadScript(exec, renderConfirm(header.slot, header));
      } catch (failure) {
        if (!isWeftError(failure)) throw failure;
        reason = "the proof came when its time was over";
      }
    }
    while (true) {
      const kernel = await readKernelTable(exec);
      if (kernel?.revision === header.revision && kernel.digest === header.digest) {
        await this.#keep(header, kernel.fingerprint);
        return;
      }
      if ((await readArmed(exec))?.digest !== pending.digest) break;
      await clock.sleep(lookAgainMs);
    }
    const why = reason ?? "the kernel did not keep it";
    await this.#revert(pending, why);
    throw new WeftError("WEFT-E403", `revision ${header.revision} was not confirmed and is undone`, { why });
  }

  /** undefined: proved. Otherwise why not, after the kernel has gone back. */
  async #proved(
    pending: PendingPolicy,
    header: ScriptHeader,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { files, exec, clock } = this.#host;
    const before = await readConfirmed(files);
    const ports = distinctPorts([...(before?.guardPorts ?? []), ...header.guardPorts]);
    while (true) {
      let reason: string;
      try {
        await this.#proof.prove(ports, AbortSignal.any([signal, AbortSignal.timeout(oneProofMs)]));
        return undefined;
      } catch (failure) {
        if (signal.aborted) throw await this.#letGo(signal);
        reason = sentenceOf(failure);
      }
      if ((await readArmed(exec))?.digest !== pending.digest) return reason;
      await clock.sleep(proveAgainMs, signal).catch(() => {});
      if (signal.aborted) throw await this.#letGo(signal);
    }
  }

  /** A newer state takes its place at once; an agent that stops leaves it to the kernel. */
  async #letGo(signal: AbortSignal): Promise<unknown> {
    const { files, exec } = this.#host;
    if (signal.reason === superseded) {
      await loadFile(exec, places.confirmedPolicy);
      await dropPending(files);
    }
    return signal.reason;
  }

  /** On disk what the kernel has. Renaming takes the pending one away in the same moment. */
  async #keep({ revision, digest }: ScriptHeader, fingerprint: string): Promise<void> {
    const { files } = this.#host;
    const before = await files.readText(places.confirmedPolicy);
    if (before !== undefined) await files.write(places.previousPolicy, before, { mode: policyMode });
    await files.rename(places.pendingPolicy, places.confirmedPolicy);
    await writeConfirmedRecord(files, { revision, digest, fingerprint });
    await files.remove(places.pendingRecord);
  }

  /** The kernel has gone back by itself; what is left of the candidate is cleared away. */
  async #revert({ generation, digest }: PendingPolicy, reason: string): Promise<void> {
    const { files, exec } = this.#host;
    await writeReverted(files, { generation, digest, reason });
    await loadFile(exec, places.confirmedPolicy);
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

function sentenceOf(failure: unknown): string {
  if (!isWeftError(failure)) {
    // the time of one attempt was up
    if (
      typeof failure === "object" &&
      failure !== null &&
      "name" in failure &&
      failure.name === "TimeoutError"
    )
      return `no proof within ${oneProofMs / 1000} s`;
    throw failure;
  }
  return failure.why === undefined ? messageOf(failure) : `${messageOf(failure)}: ${failure.why}`;
}
