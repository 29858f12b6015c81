// In: the policy files on disk. Out: what was last confirmed: its text, and what the kernel looked like when it was.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Files } from "../host/host.ts";
import { parseJsonFields } from "../state/json-fields.ts";
import { places } from "../state/places.ts";

export interface ConfirmedPolicy {
  readonly text: string;
  readonly revision: number;
  readonly digest: string;
  /** Of the kernel's table right after it was loaded; empty: not known. */
  readonly fingerprint: string;
}

export async function readConfirmed(files: Files): Promise<ConfirmedPolicy | undefined> {
  const text = await files.readText(places.confirmedPolicy);
  if (text === undefined) return undefined;
  const record = await files.readText(places.confirmedRecord);
  // The record comes after the file: a crash between leaves a file whose rules are merely loaded again.
  const unknown = { text, revision: 0, digest: "", fingerprint: "" };
  if (record === undefined) return unknown;
  try {
    const fields = parseJsonFields(places.confirmedRecord, record);
    return {
      text,
      revision: fields.count("revision"),
      digest: fields.text("digest"),
      fingerprint: fields.text("fingerprint"),
    };
  } catch (failure) {
    // A damaged record must not stand in the way of the rules: they are loaded again, and it is written anew.
    if (isWeftError(failure)) return unknown;
    throw failure;
  }
}

export async function writeConfirmedRecord(
  files: Files,
  { revision, digest, fingerprint }: Omit<ConfirmedPolicy, "text">,
): Promise<void> {
  const record = `${JSON.stringify({ revision, digest, fingerprint })}\n`;
  await files.write(places.confirmedRecord, record, { mode: 0o600 });
}
