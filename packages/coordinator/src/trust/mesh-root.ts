// In: randomness, or a sealed root and its passphrase. Out: the mesh root (Ed25519), sealed as text or open for one
// signature. Its public key's hash is the pin every node keeps for life; the coordinator runs without it.
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  scryptSync,
} from "node:crypto";
import { WeftError } from "@weft/shared/errors/weft-error";
import { pinOf } from "@weft/shared/wire/trust-bundle";
import { z } from "zod";

export interface MeshRoot {
  readonly privateKey: KeyObject;
  /** SPKI DER. */
  readonly publicKey: Uint8Array;
  readonly pin: string;
}

export const shortestPassphrase = 12;

// scrypt at 2^17: 128 MiB and about a third of a second for each guess.
const usualCost = { N: 2 ** 17, r: 8, p: 1 };
const maxCost = { N: 2 ** 20, r: 16, p: 4 };

const base64 = z.base64();
const sealedSchema = z.strictObject({
  format: z.literal("weft sealed mesh root"),
  version: z.literal(1),
  mesh: z.string(),
  meshId: z.string(),
  pin: z.string(),
  publicKey: base64,
  kdf: z.strictObject({
    name: z.literal("scrypt"),
    N: z
      .int()
      .min(2 ** 15)
      .max(maxCost.N),
    r: z.int().min(8).max(maxCost.r),
    p: z.int().min(1).max(maxCost.p),
    salt: base64,
  }),
  cipher: z.strictObject({ name: z.literal("aes-256-gcm"), nonce: base64, tag: base64 }),
  ciphertext: base64,
});
type Sealed = z.infer<typeof sealedSchema>;

/** What can be read without the passphrase. */
export interface SealedHeader {
  readonly mesh: string;
  readonly meshId: string;
  readonly pin: string;
}

function rootOf(privateKey: KeyObject): MeshRoot {
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  return { privateKey, publicKey, pin: pinOf(publicKey) };
}

export function makeMeshRoot(): MeshRoot {
  return rootOf(generateKeyPairSync("ed25519").privateKey);
}

function keyFrom(passphrase: string, kdf: Sealed["kdf"]): Buffer {
  const { N, r, p } = kdf;
  return scryptSync(passphrase.normalize("NFC"), Buffer.from(kdf.salt, "base64"), 32, {
    N,
    r,
    p,
    maxmem: 256 * N * r,
  });
}

/** Everything but the ciphertext and its tag is authenticated: no field can be changed without notice. */
function authenticated(sealed: Omit<Sealed, "ciphertext" | "cipher">, nonce: string): Buffer {
  const { format, version, mesh, meshId, pin, publicKey, kdf } = sealed;
  return Buffer.from(
    JSON.stringify([
      format,
      version,
      mesh,
      meshId,
      pin,
      publicKey,
      kdf.name,
      kdf.N,
      kdf.r,
      kdf.p,
      kdf.salt,
      nonce,
    ]),
  );
}

export function checkPassphrase(passphrase: string): void {
  if (passphrase.length >= shortestPassphrase) return;
  throw new WeftError("WEFT-E001", `the passphrase has fewer than ${shortestPassphrase} characters`, {
    hint: "choose a longer one; several random words do well",
  });
}

export interface SealOptions {
  readonly mesh: string;
  readonly meshId: string;
  readonly passphrase: string;
  /** Lower only in tests. */
  readonly cost?: { readonly N: number; readonly r: number; readonly p: number };
}

export function sealRoot(root: MeshRoot, options: SealOptions): string {
  checkPassphrase(options.passphrase);
  const nonce = randomBytes(12).toString("base64");
  const header = {
    format: "weft sealed mesh root" as const,
    version: 1 as const,
    mesh: options.mesh,
    meshId: options.meshId,
    pin: root.pin,
    publicKey: Buffer.from(root.publicKey).toString("base64"),
    kdf: {
      name: "scrypt" as const,
      ...(options.cost ?? usualCost),
      salt: randomBytes(16).toString("base64"),
    },
  };
  const cipher = createCipheriv(
    "aes-256-gcm",
    keyFrom(options.passphrase, header.kdf),
    Buffer.from(nonce, "base64"),
  );
  cipher.setAAD(authenticated(header, nonce));
  const plain = root.privateKey.export({ type: "pkcs8", format: "der" });
  const ciphertext = Buffer.concat([cipher.update(plain), cipher.final()]).toString("base64");
  const sealed: Sealed = {
    ...header,
    cipher: { name: "aes-256-gcm", nonce, tag: cipher.getAuthTag().toString("base64") },
    ciphertext,
  };
  return `${JSON.stringify(sealed, undefined, 2)}\n`;
}

function parseSealed(text: string): Sealed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new WeftError("WEFT-E003", "the sealed mesh root is not JSON", { cause });
  }
  const parsed = sealedSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new WeftError("WEFT-E003", "the sealed mesh root is damaged or of a newer form", {
    why: `${issue?.path.join(".") || "it"}: ${issue?.message ?? "unreadable"}`,
  });
}

export function readSealedHeader(text: string): SealedHeader {
  const { mesh, meshId, pin } = parseSealed(text);
  return { mesh, meshId, pin };
}

export function openRoot(text: string, passphrase: string): MeshRoot {
  const sealed = parseSealed(text);
  const { nonce, tag } = sealed.cipher;
  const fits = (part: string, bytes: number) => Buffer.from(part, "base64").length === bytes;
  // GCM takes shorter tags, which are easier to forge.
  if (!fits(nonce, 12) || !fits(tag, 16)) throw new WeftError("WEFT-E003", "the sealed mesh root is damaged");
  const decipher = createDecipheriv(
    "aes-256-gcm",
    keyFrom(passphrase, sealed.kdf),
    Buffer.from(nonce, "base64"),
  );
  decipher.setAAD(authenticated(sealed, nonce));
  decipher.setAuthTag(Buffer.from(tag, "base64"));
  let plain: Buffer;
  try {
    plain = Buffer.concat([decipher.update(Buffer.from(sealed.ciphertext, "base64")), decipher.final()]);
  } catch (cause) {
    throw new WeftError("WEFT-E200", "the mesh root cannot be opened", {
      why: "The passphrase is wrong, or the file was changed.",
      hint: "try again; there is no other way to open it",
      cause,
    });
  }
  const root = rootOf(createPrivateKey({ key: plain, format: "der", type: "pkcs8" }));
  plain.fill(0);
  if (root.pin !== sealed.pin)
    throw new WeftError("WEFT-E200", "the sealed mesh root is not the one its file names");
  return root;
}
