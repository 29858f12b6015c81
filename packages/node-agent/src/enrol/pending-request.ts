// In: a purpose. Out: a certificate request with its key, on disk before it is sent. A lost answer or a crash is
// followed by the very same request, which the coordinator answers again.
import { makeCsr } from "@weft/shared/spiffe/csr";
import type { Files } from "../host/host.ts";
import { parseJsonFields } from "../state/json-fields.ts";
import { places } from "../state/places.ts";

export interface PendingRequest {
  /** What it is for: another purpose never reuses it. */
  readonly purpose: string;
  readonly csrDer: Uint8Array;
  readonly keyPem: string;
}

export async function pendingRequest(
  files: Files,
  purpose: string,
  spiffeId: string,
): Promise<PendingRequest> {
  const text = await files.readText(places.pendingRequest);
  if (text !== undefined) {
    const fields = parseJsonFields(places.pendingRequest, text);
    if (fields.text("purpose") === purpose)
      return { purpose, csrDer: fields.bytes("csr"), keyPem: fields.text("key") };
  }
  const { csrDer, privateKeyPkcs8Pem } = makeCsr(spiffeId);
  const record = { purpose, csr: Buffer.from(csrDer).toString("base64"), key: privateKeyPkcs8Pem };
  await files.write(places.pendingRequest, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  return { purpose, csrDer, keyPem: privateKeyPkcs8Pem };
}

export async function forgetPendingRequest(files: Files): Promise<void> {
  await files.remove(places.pendingRequest);
}
