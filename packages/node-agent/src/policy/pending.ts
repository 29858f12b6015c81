// In: a policy that is armed. Out: it on disk before the kernel has it, so that an agent that starts anew can tell what
// became of it; and word of the one that was not confirmed. The text comes after its record: there is a pending policy
// when there is a text.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Files } from "../host/host.ts";
import { parseJsonFields } from "../state/json-fields.ts";
import { places } from "../state/places.ts";
import { policyMode } from "./confirmed.ts";

export interface PendingPolicy {
  readonly text: string;
  readonly generation: number;
  readonly digest: string;
  /** A kernel that started since has nothing of it. */
  readonly bootId: string;
}

export async function readBootId(files: Files): Promise<string> {
  return ((await files.readText(places.bootId)) ?? "").trim();
}

export async function readPending(files: Files): Promise<PendingPolicy | undefined> {
  const text = await files.readText(places.pendingPolicy);
  if (text === undefined) return undefined;
  const record = (await files.readText(places.pendingRecord)) ?? "";
  const said = legible(() => {
    const { count, text: field } = parseJsonFields(places.pendingRecord, record);
    return { generation: count("generation"), digest: field("digest"), bootId: field("bootId") };
  });
  // Of no boot: not to be continued.
  return { text, ...(said ?? { generation: 0, digest: "", bootId: "" }) };
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

export async function writePending(
  files: Files,
  { text, generation, digest, bootId }: PendingPolicy,
): Promise<void> {
  await files.makeDirectory(places.policy, 0o700);
  const record = `${JSON.stringify({ generation, digest, bootId })}\n`;
  await files.write(places.pendingRecord, record, { mode: policyMode });
  await files.write(places.pendingPolicy, text, { mode: policyMode });
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
