// In: what the SPIRE agent keeps in its data directory. Out: until when its own SVID is good. Pure parsing, one reader.
import { isWeftError } from "@weft/shared/errors/weft-error";
import { pemToDers, readCertificate } from "@weft/shared/spiffe/certificate";
import type { Files } from "../host/host.ts";
import { places } from "../state/places.ts";

export const agentDataPath = `${places.spireData}/agent-data.json`;

/** agent-data.json: { "svid": [base64 of PEM, leaf first], ... }. undefined: none that can be read. */
export function parseAgentSvidExpiry(text: string): Date | undefined {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    // A damaged file is no SVID: the agent attests anew and writes another.
    return undefined;
  }
  const svid: unknown = typeof data === "object" && data !== null && "svid" in data ? data.svid : undefined;
  const leaf: unknown = Array.isArray(svid) ? svid[0] : undefined;
  if (typeof leaf !== "string") return undefined;
  try {
    const bytes = Buffer.from(leaf, "base64");
    const text = bytes.toString("latin1");
    const der = text.startsWith("-----BEGIN") ? pemToDers(text)[0] : bytes;
    return der === undefined ? undefined : readCertificate(der).notAfter;
  } catch (failure) {
    if (isWeftError(failure)) return undefined;
    throw failure;
  }
}

export async function readAgentSvidExpiry(files: Files): Promise<Date | undefined> {
  const text = await files.readText(agentDataPath);
  return text === undefined ? undefined : parseAgentSvidExpiry(text);
}
