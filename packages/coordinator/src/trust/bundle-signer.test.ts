import { generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { encodeSigningKey } from "@weft/shared/wire/signed-parts";
import {
  encodeTrustBundle,
  type TrustBundle,
  verifyNonceReply,
  verifySignedBundle,
} from "@weft/shared/wire/trust-bundle";
import { BundleSigner, type SignedBundle } from "./bundle-signer.ts";
import { makeMeshRoot } from "./mesh-root.ts";
import { issueOnlineKey, parseOnlineKey } from "./online-key.ts";

const now = new Date("2026-03-01T12:00:00Z");
const day = 24 * 3600 * 1000;
const root = makeMeshRoot();
const signer = new BundleSigner(parseOnlineKey(issueOnlineKey(root, "mesh-1", now)));
const bundle: TrustBundle = {
  meshId: "mesh-1",
  trustDomain: "mesh.internal",
  sequence: 7,
  issued: now,
  expires: new Date(now.getTime() + 7 * day),
  roots: [Uint8Array.of(1, 2, 3)],
  revokedAuthorityIds: ["aa"],
  banEpoch: 2,
  bannedNodes: ["rogue"],
};
const signed = signer.sign(bundle);
const anchor = { pin: root.pin };

describe("a signed trust bundle", () => {
  it("is believed by whoever holds the pin, field for field", () => {
    const verified = verifySignedBundle(signed, anchor, { now, meshId: "mesh-1", lowestSequence: 7 });
    expect(verified.bundle).toMatchObject({ ...bundle, roots: [Buffer.from([1, 2, 3])] });
  });

  it("is believed by nobody who holds another pin", () => {
    expect(() => verifySignedBundle(signed, { pin: makeMeshRoot().pin }, { now })).toThrow(
      expect.objectContaining({ code: "WEFT-E200" }),
    );
  });

  it.each(Object.keys(signed) as (keyof SignedBundle)[])(
    "is not believed with any byte of %s changed",
    (field) => {
      for (let at = 0; at < signed[field].length; at++) {
        const bytes = Buffer.from(signed[field]);
        bytes[at] = bytes[at]! ^ 1;
        expect(() => verifySignedBundle({ ...signed, [field]: bytes }, anchor, { now })).toThrow(
          expect.objectContaining({ code: "WEFT-E200" }),
        );
      }
    },
  );

  it("is not believed when another root's signing key was put in", () => {
    const other = new BundleSigner(parseOnlineKey(issueOnlineKey(makeMeshRoot(), "mesh-1", now))).sign(
      bundle,
    );
    const mixed = { ...other, rootPublicKey: signed.rootPublicKey };
    expect(() => verifySignedBundle(mixed, anchor, { now })).toThrow(
      expect.objectContaining({ code: "WEFT-E200" }),
    );
  });

  it("is not believed before or after its time", () => {
    for (const at of [now.getTime() - day, now.getTime() + 8 * day])
      expect(() => verifySignedBundle(signed, anchor, { now: new Date(at) })).toThrow(
        expect.objectContaining({ code: "WEFT-E200" }),
      );
  });

  it.each([
    [366, true],
    [367, false],
  ])("with a signing key that lives %s days: believed %s, though the root signed it", (days, believed) => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const signingKey = encodeSigningKey({
      meshId: "mesh-1",
      publicKey: publicKey.export({ type: "spki", format: "der" }),
      notBefore: now,
      notAfter: new Date(now.getTime() + days * day),
    });
    const payload = Buffer.from(encodeTrustBundle(bundle));
    const long = {
      bundle: payload,
      bundleSignature: sign(null, payload, privateKey),
      signingKey: Buffer.from(signingKey),
      signingKeySignature: sign(null, signingKey, root.privateKey),
      rootPublicKey: signed.rootPublicKey,
    };
    const verify = () => verifySignedBundle(long, anchor, { now });
    if (believed) expect(verify).not.toThrow();
    else expect(verify).toThrow(expect.objectContaining({ code: "WEFT-E200" }));
  });

  it("is never made for more than 7 days, for another mesh, or with an expired key", () => {
    const longer = { ...bundle, expires: new Date(now.getTime() + 7 * day + 1) };
    expect(() => signer.sign(longer)).toThrow(RangeError);
    expect(() => signer.sign({ ...bundle, meshId: "mesh-2" })).toThrow(/another mesh/);
    const late = new Date(now.getTime() + 366 * day);
    expect(() => signer.sign({ ...bundle, issued: late, expires: new Date(late.getTime() + day) })).toThrow(
      expect.objectContaining({ code: "WEFT-E200" }),
    );
  });
});

describe("a signed nonce", () => {
  const nonce = Buffer.alloc(32, 9);
  const reply = { bundle: signed, ...signer.signNonce(nonce, now, 7) };
  const { signingKey } = verifySignedBundle(signed, anchor, { now });

  it("tells the coordinator's time to the one who asked", () => {
    expect(verifyNonceReply(reply, nonce, signingKey).serverTime).toEqual(now);
  });

  it("is refused with an older bundle than the one it was signed for", () => {
    const older = { ...reply, bundle: signer.sign({ ...bundle, sequence: 6 }) };
    expect(() => verifyNonceReply(older, nonce, signingKey)).toThrow(
      expect.objectContaining({ code: "WEFT-E200" }),
    );
  });

  it("is refused for another nonce, and as a bundle", () => {
    expect(() => verifyNonceReply(reply, Buffer.alloc(32, 8), signingKey)).toThrow(
      expect.objectContaining({ code: "WEFT-E200" }),
    );
    const posing = { ...signed, bundle: reply.nonceReply, bundleSignature: reply.nonceSignature };
    expect(() => verifySignedBundle(posing, anchor, { now })).toThrow(
      expect.objectContaining({ code: "WEFT-E200" }),
    );
  });
});

describe("the online key's file", () => {
  const text = issueOnlineKey(root, "mesh-1", now);

  it("names the pin of the root that signed it, and lives a year at most", () => {
    const key = parseOnlineKey(text);
    expect(key.pin).toBe(root.pin);
    expect(key.notAfter.getTime() - key.notBefore.getTime()).toBeLessThanOrEqual(365 * day);
    expect(() => issueOnlineKey(root, "mesh-1", now, 366 * day)).toThrow(RangeError);
  });

  it.each(["privateKey", "signingKey", "signingKeySignature", "rootPublicKey"])(
    "is refused with another's %s",
    (field) => {
      const other = JSON.parse(issueOnlineKey(makeMeshRoot(), "mesh-1", now)) as Record<string, string>;
      const mixed = JSON.stringify({ ...JSON.parse(text), [field]: other[field] });
      expect(() => parseOnlineKey(mixed)).toThrow(expect.objectContaining({ code: "WEFT-E003" }));
    },
  );

  it("never shows its content in an error", () => {
    const secret = (JSON.parse(text) as { privateKey: string }).privateKey;
    try {
      parseOnlineKey(text.slice(0, -10));
      throw new Error("it was accepted");
    } catch (error) {
      expect(JSON.stringify([String(error), error])).not.toContain(secret.slice(0, 20));
      expect(error).toMatchObject({ code: "WEFT-E003" });
      expect(error).not.toHaveProperty("cause");
    }
  });
});
