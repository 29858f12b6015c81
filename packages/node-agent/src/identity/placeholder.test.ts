import { createPrivateKey, X509Certificate } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { pemToDers, readCertificate } from "@weft/shared/spiffe/certificate";
import { makePlaceholder } from "./placeholder.ts";

describe("makePlaceholder", () => {
  it("is a key pair OpenSSL loads, expired for half a century, naming nobody", () => {
    const { certificatePem, keyPem } = makePlaceholder();
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    const [der] = pemToDers(certificatePem);
    expect(readCertificate(der ?? new Uint8Array())).toMatchObject({ uriSans: [], isCa: false });
    expect(new Date(certificate.validTo).getUTCFullYear()).toBe(1970);
  });
});
