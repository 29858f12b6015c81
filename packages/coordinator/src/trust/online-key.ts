// In: the mesh root, open for a moment. Out: the online signing key with the root's signature on it, as the text of
// the one file the coordinator needs to sign trust bundles; and that text read back.
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { WeftError } from "@weft/shared/errors/weft-error";
import { decodeSigningKey, encodeSigningKey } from "@weft/shared/wire/signed-parts";
import { pinOf } from "@weft/shared/wire/trust-bundle";
import { z } from "zod";
import type { MeshRoot } from "./mesh-root.ts";
import { readPublicKey } from "./public-key.ts";

export interface OnlineKey {
  readonly meshId: string;
  readonly privateKey: KeyObject;
  /** SigningKey, encoded: what the root signed. */
  readonly signingKey: Uint8Array;
  readonly signingKeySignature: Uint8Array;
  /** SPKI DER. */
  readonly rootPublicKey: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly pin: string;
}

export const longestLifeMs = 365 * 24 * 3600 * 1000;
/** Nodes' clocks may be behind. */
const backdateMs = 5 * 60 * 1000;

const base64 = z.base64();
const fileSchema = z.strictObject({
  format: z.literal("weft online signing key"),
  version: z.literal(1),
  privateKey: base64,
  signingKey: base64,
  signingKeySignature: base64,
  rootPublicKey: base64,
});

/** A fresh signing key, certified by the root for at most a year. Returns the file's text: it is a secret. */
export function issueOnlineKey(root: MeshRoot, meshId: string, now: Date, lifeMs = longestLifeMs): string {
  if (lifeMs > longestLifeMs) throw new RangeError("a signing key lives at most a year");
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const notBefore = new Date(now.getTime() - backdateMs);
  const signingKey = encodeSigningKey({
    meshId,
    publicKey: publicKey.export({ type: "spki", format: "der" }),
    notBefore,
    notAfter: new Date(notBefore.getTime() + lifeMs),
  });
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  const file: z.infer<typeof fileSchema> = {
    format: "weft online signing key",
    version: 1,
    privateKey: text(privateKey.export({ type: "pkcs8", format: "der" })),
    signingKey: text(signingKey),
    signingKeySignature: text(sign(null, signingKey, root.privateKey)),
    rootPublicKey: text(root.publicKey),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** Reads the file back and checks that its parts belong together. The text never shows in an error. */
export function parseOnlineKey(text: string): OnlineKey {
  const damaged = (why: string) =>
    new WeftError("WEFT-E003", "the online signing key's file is damaged", {
      why,
      hint: "restore it from a backup, or make a new one with the mesh root: run `weft init` again",
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message would quote the secret.
    throw damaged("It is not JSON.");
  }
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success)
    throw damaged(`The field ${parsed.error.issues[0]?.path.join(".") || "?"} is missing or malformed.`);
  const bytes = (part: string) => Buffer.from(part, "base64");
  const file = parsed.data;
  const signingKey = bytes(file.signingKey);
  const signingKeySignature = bytes(file.signingKeySignature);
  const rootPublicKey = bytes(file.rootPublicKey);
  const root = readPublicKey(rootPublicKey);
  if (root === undefined || !verify(null, signingKey, root, signingKeySignature))
    throw damaged("The mesh root has not signed the key.");
  const terms = decodeSigningKey(signingKey);
  const certified = readPublicKey(terms.publicKey);
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key: bytes(file.privateKey), format: "der", type: "pkcs8" });
  } catch {
    throw damaged("The private key cannot be read.");
  }
  const probe = Buffer.from("weft");
  if (privateKey.asymmetricKeyType !== "ed25519" || certified === undefined)
    throw damaged("The key is not Ed25519.");
  if (!verify(null, probe, certified, sign(null, probe, privateKey)))
    throw damaged("The private key is not the one the root signed.");
  return {
    meshId: terms.meshId,
    privateKey,
    signingKey,
    signingKeySignature,
    rootPublicKey,
    notBefore: terms.notBefore,
    notAfter: terms.notAfter,
    pin: pinOf(rootPublicKey),
  };
}
