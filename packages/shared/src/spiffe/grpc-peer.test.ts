import { describe, expect, it } from "@jest/globals";
import { makeLeaf, makeRoot } from "../../../../test/support/test-ca.ts";
import { peerOfCall } from "./grpc-credentials.ts";

const clientId = "spiffe://mesh.internal/weft/node/api1";
const root = makeRoot();

describe("peerOfCall", () => {
  const callWith = (raw: Uint8Array) => ({ getAuthContext: () => ({ sslPeerCertificate: { raw } }) });

  it("says who and until when", () => {
    const notAfter = new Date("2031-01-01T00:00:00Z");
    const leaf = makeLeaf(root, clientId, { notAfter });
    expect(peerOfCall(callWith(leaf.der))).toMatchObject({
      id: { trustDomain: "mesh.internal", path: "/weft/node/api1" },
      notAfter,
    });
  });

  it("is undefined without a certificate, and throws at one that is no SVID", () => {
    expect(peerOfCall({ getAuthContext: () => null })).toBeUndefined();
    expect(peerOfCall({ getAuthContext: () => ({}) })).toBeUndefined();
    expect(() => peerOfCall(callWith(root.der))).toThrow(expect.objectContaining({ code: "WEFT-E205" }));
  });
});
