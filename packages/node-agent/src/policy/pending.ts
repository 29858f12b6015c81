// In: a policy that is armed. Out: it on disk before the kernel has it, so that an agent that starts anew can tell what
// became of it; and word of the one that was not confirmed. The text comes after its record: there is a pending policy
// when there is a text. The record is completed right after the kernel was told to judge by it.
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import { parseScriptHeader, type ScriptHeader } from "@weft/shared/render/nftables-script-header";
import type { Files } from "../host/host.ts";
import { parseJsonFields } from "../state/json-fields.ts";
import { places } from "../state/places.ts";
import { policyMode, readScript, writeScript } from "./confirmed.ts";

export interface PendingPolicy {
  readonly text: string;
  readonly generation: number;
  readonly digest: string;
  /** A kernel that started since has nothing of it. */
  readonly bootId: string;
  /** Guard ports the coordinator reached right before: those must be reached again. undefined: nobody wrote it down. */
  readonly reached: readonly number[] | undefined;
  /** Of the kernel's table while it waits for its proof. Empty: nobody knows whether it was armed. */
  readonly fingerprint: string;
  /** Of its own slot alone, which is the same once it is confirmed. */
  readonly slotFingerprint: string;
}

export async function readBootId(files: Files): Promise<string> {
  return ((await files.readText(places.bootId)) ?? "").trim();
}

export async function readPending(files: Files): Promise<PendingPolicy | undefined> {
  const text = await readScript(files, places.pendingPolicy);
  if (text === undefined) return undefined;
  const record = (await files.readText(places.pendingRecord)) ?? "";
  const said = legible(() => {
    const fields = parseJsonFields(places.pendingRecord, record);
    return {
      generation: fields.count("generation"),
      digest: fields.text("digest"),
      bootId: fields.text("bootId"),
      reached: fields.optionalCounts("reached"),
      fingerprint: fields.optionalText("fingerprint") ?? "",
      slotFingerprint: fields.optionalText("slotFingerprint") ?? "",
    };
  });
  // Of no boot: not to be continued.
  const none = { reached: undefined, fingerprint: "", slotFingerprint: "" };
  return { text, ...(said ?? { generation: 0, digest: "", bootId: "", ...none }) };
}

/** A damaged record must not stand in the way of the rules. */
function legible<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (failure) {
    if (isWeftError(failure)) return undefined;
    throw failure;
  }
}

export async function writePending(files: Files, pending: PendingPolicy): Promise<void> {
  await files.makeDirectory(places.policy, 0o700);
  await writePendingRecord(files, pending);
  await writeScript(files, places.pendingPolicy, pending.text);
}

export async function writePendingRecord(files: Files, { text: _, ...record }: PendingPolicy): Promise<void> {
  await files.write(places.pendingRecord, `${JSON.stringify(record)}\n`, { mode: policyMode });
}

export async function dropPending(files: Files): Promise<void> {
  await files.remove(places.pendingPolicy);
  await files.remove(places.pendingRecord);
}

/** A state that was tried and has undone itself. */
export interface RevertedState {
  readonly generation: number;
  readonly digest: string;
  readonly reason: string;
}

export async function readReverted(files: Files): Promise<RevertedState | undefined> {
  const record = await files.readText(places.revertedRecord);
  if (record === undefined) return undefined;
  return legible(() => {
    const { count, text } = parseJsonFields(places.revertedRecord, record);
    return { generation: count("generation"), digest: text("digest"), reason: text("reason") };
  });
}

export async function writeReverted(files: Files, state: RevertedState): Promise<void> {
  const { generation, digest, reason } = state;
  const record = `${JSON.stringify({ generation, digest, reason })}\n`;
  await files.write(places.revertedRecord, record, { mode: policyMode });
}

/** Throws when it is no policy of this release. */
export function headerOf(text: string): ScriptHeader {
  const header = parseScriptHeader(text);
  if (header !== undefined) return header;
  throw new WeftError("WEFT-E003", `${places.pendingPolicy} is no policy of this release`);
}
