// In: nothing. Out: a self-signed certificate that names nobody and expired in 1970, with its key. The SPIRE agent's
// x509pop plugin reads its files at every start, also when it has an SVID and needs none; so when the exchange SVID is
// taken away this is put in its place: it can be loaded, and attests nothing.
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { derToPem } from "@weft/shared/spiffe/certificate";
import { makePrivateKey } from "@weft/shared/spiffe/csr";
import { contextTag, encode, encodeOid, tags } from "@weft/shared/spiffe/der";
import { oids } from "@weft/shared/spiffe/oids";

export interface KeyPairFiles {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export const placeholderSubject = "weft placeholder";

export function makePlaceholder(): KeyPairFiles {
  const keyPem = makePrivateKey();
  const key = createPrivateKey(keyPem);
  const sequence = (...parts: readonly Uint8Array[]) => encode(tags.sequence, ...parts);
  const integer = (value: number) => encode(tags.integer, Uint8Array.of(value));
  const time = (text: string) => encode(tags.utcTime, Buffer.from(text, "latin1"));
  const algorithm = sequence(encodeOid(oids.ecdsaWithSha256));
  const attribute = sequence(
    encodeOid(oids.organizationName),
    encode(tags.utf8String, Buffer.from(placeholderSubject)),
  );
  const name = sequence(encode(tags.set, attribute));
  const body = sequence(
    encode(contextTag(0, true), integer(2)),
    integer(1),
    algorithm,
    name,
    sequence(time("700101000000Z"), time("700102000000Z")),
    name,
    createPublicKey(key).export({ type: "spki", format: "der" }),
  );
  const signature = encode(tags.bitString, Uint8Array.of(0), sign("sha256", body, key));
  return { certificatePem: derToPem(sequence(body, algorithm, signature)), keyPem };
}
