// In: the policy files on disk. Out: what boot would load: the rules that were last confirmed, or, if that file is not
// whole, the ones before them, or guards only; and what the kernel looked like when they were confirmed.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { PortRange } from "@weft/shared/model/desired";
import { parseScriptHeader } from "@weft/shared/render/nftables-script-header";
import type { Slot } from "@weft/shared/render/nftables-slots";
import type { Files } from "../host/host.ts";
import { parseJsonFields } from "../state/json-fields.ts";
import { places } from "../state/places.ts";
import { type TableParts, unknownParts } from "./kernel-table.ts";
import { openSealed, sealScript } from "./sealed-script.ts";

/** In the order in which weft-restore tries them. */
const bootFiles = [
  { source: "confirmed", path: places.confirmedPolicy },
  { source: "previous", path: places.previousPolicy },
  { source: "guards-only", path: places.guardsOnlyPolicy },
] as const;

export interface ConfirmedPolicy {
  readonly text: string;
  /** Anything but "confirmed": the files before it are damaged or gone. */
  readonly source: (typeof bootFiles)[number]["source"];
  /** undefined: the script of another release. */
  readonly slot: Slot | undefined;
  readonly revision: number;
  readonly digest: string;
  readonly guardPorts: readonly PortRange[];
  /** Of the kernel's table right after it was loaded; empty: not known. */
  readonly fingerprint: string;
  readonly parts: TableParts;
  /** Of what was confirmed, by the record beside the file, which may be whole when the file is not. */
  readonly recordedDigest: string;
}

/** Read by weft-restore, which is root without the right to pass over modes. */
export const policyMode = 0o600;

export async function readConfirmed(files: Files): Promise<ConfirmedPolicy | undefined> {
  for (const { source, path } of bootFiles) {
    const text = await readScript(files, path);
    if (text !== undefined) return describe(files, source, text);
  }
  return undefined;
}

async function describe(
  files: Files,
  source: ConfirmedPolicy["source"],
  text: string,
): Promise<ConfirmedPolicy> {
  const header = parseScriptHeader(text);
  const record = await files.readText(places.confirmedRecord);
  const recorded = record === undefined ? undefined : recordOf(record);
  const { revision, digest } = { revision: header?.revision ?? 0, digest: header?.digest ?? "" };
  // The record comes after the file: after a crash between, what it tells is of the rules before.
  const isOf = source === "confirmed" && recorded?.revision === revision && recorded.digest === digest;
  return {
    text,
    source,
    slot: header?.slot,
    revision,
    digest,
    guardPorts: header?.guardPorts ?? [],
    fingerprint: isOf ? recorded.fingerprint : "",
    parts: { ...(recorded?.parts ?? unknownParts), ...(isOf ? {} : { slot: "" }) },
    recordedDigest: recorded?.digest ?? "",
  };
}

/** undefined: not there, or not whole. */
export async function readScript(files: Files, path: string): Promise<string | undefined> {
  const sealed = await files.readText(path);
  return sealed === undefined ? undefined : openSealed(sealed);
}

export function writeScript(files: Files, path: string, text: string): Promise<void> {
  return files.write(path, sealScript(text), { mode: policyMode });
}

/** What was confirmed until now, as the one to fall back on. What is damaged takes no good one's place. */
export async function keepAsPrevious(files: Files, before: ConfirmedPolicy | undefined): Promise<void> {
  if (before?.source === "confirmed") await writeScript(files, places.previousPolicy, before.text);
}

type Recorded = Pick<ConfirmedPolicy, "revision" | "digest" | "fingerprint" | "parts">;

/** A damaged record must not stand in the way of the rules: they are loaded again, and it is written anew. */
function recordOf(record: string): Recorded | undefined {
  try {
    const fields = parseJsonFields(places.confirmedRecord, record);
    return {
      revision: fields.count("revision"),
      digest: fields.text("digest"),
      fingerprint: fields.text("fingerprint"),
      parts: {
        slot: fields.optionalText("slot") ?? "",
        empty: fields.optionalText("empty") ?? "",
        frame: fields.optionalText("frame") ?? "",
      },
    };
  } catch (failure) {
    if (isWeftError(failure)) return undefined;
    throw failure;
  }
}

export async function writeConfirmedRecord(
  files: Files,
  { revision, digest, fingerprint, parts = unknownParts }: Omit<Recorded, "parts"> & Partial<Recorded>,
): Promise<void> {
  const record = `${JSON.stringify({ revision, digest, fingerprint, ...parts })}\n`;
  await files.write(places.confirmedRecord, record, { mode: policyMode });
}
