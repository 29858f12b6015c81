// In: one nft script that needs no proof: the first on a machine, or one that was confirmed before. Out: it in the
// kernel, read back, and on disk as the one for boot. Order: loading file fsynced, checked, loaded in one transaction,
// read back, renamed to confirmed, fsynced. Boot ignores the loading file: whatever a crash leaves, the next boot has
// the last rules that were seen in force.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { StepArgs } from "@weft/shared/model/step";
import { renderRemoval } from "@weft/shared/render/nftables";
import { parseScriptHeader } from "@weft/shared/render/nftables-script-header";
import type { Slot } from "@weft/shared/render/nftables-slots";
import type { Host } from "../host/host.ts";
import {
  type ConfirmedPolicy,
  keepAsPrevious,
  readConfirmed,
  readScript,
  writeConfirmedRecord,
  writeScript,
} from "../policy/confirmed.ts";
import {
  checkFile,
  forgetMemory,
  isAlone,
  type KernelTable,
  loadAlone,
  loadScript,
  partsOf,
  readKernelTable,
} from "../policy/kernel-table.ts";
import { places } from "../state/places.ts";
import type { Executor, Undo } from "./executor.ts";

type Args = StepArgs["loadPolicy"];

export class LoadPolicy implements Executor<"loadPolicy"> {
  readonly #host: Host;
  /** How long connections are tracked before they are judged, on a machine that had no table. */
  readonly #trackingMs: number;

  constructor(host: Host, trackingMs: number) {
    this.#host = host;
    this.#trackingMs = trackingMs;
  }

  async apply(args: Args, signal: AbortSignal): Promise<Undo> {
    const { files, exec, clock } = this.#host;
    const before = await readConfirmed(files);
    await files.makeDirectory(places.policy, 0o700);
    await writeScript(files, places.loadingPolicy, args.text);
    await checkFile(exec, places.loadingPolicy);
    signal.throwIfAborted();
    if (args.tracking !== undefined && before === undefined) {
      await loadScript(exec, args.tracking);
      await clock.sleep(this.#trackingMs);
    }
    await this.#forget(before);
    const kernel = await this.#load(args, before);
    try {
      await this.#confirm(args, before, kernel);
    } catch (failure) {
      await this.#restore(before);
      throw failure;
    }
    return () => this.#restore(before);
  }

  /** Of rules that are not as they were confirmed. */
  async #forget(before: ConfirmedPolicy | undefined): Promise<void> {
    if (before === undefined || before.fingerprint === "") return;
    const { exec } = this.#host;
    const kernel = await readKernelTable(exec);
    if (kernel !== undefined && kernel.fingerprint !== before.fingerprint) await forgetMemory(exec);
  }

  /** Right is what is as it was known to be, or, of rules that are new, has nothing besides them. */
  #load({ text }: Args, before: ConfirmedPolicy | undefined): Promise<KernelTable | undefined> {
    const isKnown = before?.text === text && before.fingerprint !== "";
    const isRight = (table: KernelTable | undefined) =>
      table === undefined ||
      before === undefined ||
      ((!isKnown || table.fingerprint === before.fingerprint) && isAlone(table, slotOf(text), before.parts));
    return loadAlone(this.#host.exec, { path: places.loadingPolicy, text }, isRight);
  }

  /** The kernel is asked what it has; only then is the file the one for boot. */
  async #confirm(
    args: Args,
    before: ConfirmedPolicy | undefined,
    loaded: KernelTable | undefined,
  ): Promise<void> {
    const { files } = this.#host;
    const { revision, digest, text } = args;
    const kernel = carries(loaded, args);
    if (before?.text !== args.text) await keepAsPrevious(files, before);
    await files.rename(places.loadingPolicy, places.confirmedPolicy);
    const { fingerprint } = kernel;
    await writeConfirmedRecord(files, {
      revision,
      digest,
      fingerprint,
      parts: partsOf(kernel, slotOf(text)),
    });
  }

  async verify(args: Args): Promise<void> {
    carries(await readKernelTable(this.#host.exec), args);
    if ((await readScript(this.#host.files, places.confirmedPolicy)) !== args.text)
      throw new WeftError("WEFT-E002", `${places.confirmedPolicy} does not hold what the kernel has`);
  }

  async #restore(before: ConfirmedPolicy | undefined): Promise<void> {
    const { files, exec } = this.#host;
    if (before === undefined) {
      await loadScript(exec, renderRemoval());
      await files.remove(places.confirmedPolicy);
      await files.remove(places.confirmedRecord);
      return;
    }
    await loadScript(exec, before.text);
    await writeScript(files, places.confirmedPolicy, before.text);
    await writeConfirmedRecord(files, before);
  }
}

/** A script of another release is planned into the first one. */
function slotOf(text: string): Slot {
  return parseScriptHeader(text)?.slot ?? "a";
}

function carries(
  kernel: KernelTable | undefined,
  { revision, digest }: Pick<Args, "revision" | "digest">,
): KernelTable {
  if (kernel?.revision === revision && kernel.digest === digest) return kernel;
  throw new WeftError("WEFT-E400", `the kernel does not carry revision ${revision}`, {
    why: kernel === undefined ? "It has no table inet weft." : `It carries revision ${kernel.revision}.`,
  });
}
