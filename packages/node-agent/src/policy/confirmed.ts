// In: the policy files on disk. Out: what was last confirmed: its text, and what the kernel looked like when it was.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { PortRange } from "@weft/shared/model/desired";
import { parseScriptHeader } from "@weft/shared/render/nftables-script-header";
import type { Slot } from "@weft/shared/render/nftables-slots";
import type { Files } from "../host/host.ts";
import { parseJsonFields } from "../state/json-fields.ts";
import { places } from "../state/places.ts";

export interface ConfirmedPolicy {
  readonly text: string;
  /** undefined: the script of another release. */
  readonly slot: Slot | undefined;
  readonly revision: number;
  readonly digest: string;
  readonly guardPorts: readonly PortRange[];
  /** Of the kernel's table right after it was loaded; empty: not known. */
  readonly fingerprint: string;
}

/** Read by weft-restore, which is root without the right to pass over modes. */
export const policyMode = 0o600;

export async function readConfirmed(files: Files): Promise<ConfirmedPolicy | undefined> {
  const text = await files.readText(places.confirmedPolicy);
  if (text === undefined) return undefined;
  const header = parseScriptHeader(text);
  const said = { text, slot: header?.slot, guardPorts: header?.guardPorts ?? [] };
  const record = await files.readText(places.confirmedRecord);
  const unknown = {
    ...said,
    revision: header?.revision ?? 0,
    digest: header?.digest ?? "",
    fingerprint: "",
  };
  const recorded = record === undefined ? undefined : recordOf(record);
  // The record comes after the file: after a crash between, what it tells is of the rules before.
  const isOlder =
    header !== undefined && (header.revision !== recorded?.revision || header.digest !== recorded.digest);
  return recorded === undefined || isOlder ? unknown : { ...said, ...recorded };
}

type Recorded = Pick<ConfirmedPolicy, "revision" | "digest" | "fingerprint">;

/** A damaged record must not stand in the way of the rules: they are loaded again, and it is written anew. */
function recordOf(record: string): Recorded | undefined {
  try {
    const fields = parseJsonFields(places.confirmedRecord, record);
    return {
      revision: fields.count("revision"),
      digest: fields.text("digest"),
      fingerprint: fields.text("fingerprint"),
    };
  } catch (failure) {
    if (isWeftError(failure)) return undefined;
    throw failure;
  }
}

export async function writeConfirmedRecord(
  files: Files,
  { revision, digest, fingerprint }: Recorded,
): Promise<void> {
  const record = `${JSON.stringify({ revision, digest, fingerprint })}\n`;
  await files.write(places.confirmedRecord, record, { mode: policyMode });
}
