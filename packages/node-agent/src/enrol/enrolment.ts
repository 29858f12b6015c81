// In: the files a join leaves. Out: who this node is and whom it believes. enrolment.json is written last: where it is
// missing, the machine has not joined, whatever else is there.
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { parseNodeName } from "@weft/shared/model/ids";
import type { Files } from "../host/host.ts";
import { parseJsonFields } from "../state/json-fields.ts";
import { places } from "../state/places.ts";

export interface Enrolment {
  readonly node: string;
  readonly mesh: string;
  readonly meshId: string;
  readonly trustDomain: string;
  readonly coordinatorAddress: string;
  readonly agentPort: number;
  readonly enrolmentPort: number;
  /** The mesh root's public key, SPKI DER: kept for life. */
  readonly rootPublicKey: Uint8Array;
  /** The highest seen; lower ones are refused. */
  readonly bundleSequence: number;
  readonly banEpoch: number;
  /** Raised by each re-entry. */
  readonly enrolmentGeneration: number;
  /** "removed" or "banned": the coordinator wants no more of us. Empty: it does. */
  readonly dismissed: string;
}

export function formatEnrolment(enrolment: Enrolment): string {
  const record = {
    format: 1,
    ...enrolment,
    rootPublicKey: Buffer.from(enrolment.rootPublicKey).toString("base64"),
  };
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

export function parseEnrolment(text: string): Enrolment {
  const fields = parseJsonFields(places.enrolment, text);
  return {
    node: parseNodeName(fields.text("node")),
    mesh: fields.text("mesh"),
    meshId: fields.text("meshId"),
    trustDomain: fields.text("trustDomain"),
    coordinatorAddress: fields.text("coordinatorAddress"),
    agentPort: fields.count("agentPort"),
    enrolmentPort: fields.count("enrolmentPort"),
    rootPublicKey: fields.bytes("rootPublicKey"),
    bundleSequence: fields.count("bundleSequence"),
    banEpoch: fields.count("banEpoch"),
    enrolmentGeneration: fields.count("enrolmentGeneration"),
    dismissed: fields.text("dismissed"),
  };
}

export async function readEnrolment(files: Files): Promise<Enrolment | undefined> {
  const text = await files.readText(places.enrolment);
  return text === undefined ? undefined : parseEnrolment(text);
}

export async function writeEnrolment(files: Files, enrolment: Enrolment): Promise<void> {
  await files.write(places.enrolment, formatEnrolment(enrolment), { mode: 0o600 });
}

/** The Ed25519 key this machine enrols with; made on first use and never changed. */
export async function enrolmentKey(files: Files): Promise<KeyObject> {
  const held = await files.readText(places.enrolmentKey);
  if (held !== undefined) return createPrivateKey(held);
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  await files.write(places.enrolmentKey, pem, { mode: 0o600 });
  return privateKey;
}
