import { describe, expect, it } from "@jest/globals";
import { svidMessage } from "../../../../test/support/fake-workload-api.ts";
import { makeIntermediate, makeKeys, makeLeaf, makeRoot } from "../../../../test/support/test-ca.ts";
import type { X509SVID, X509SVIDResponse } from "../gen/third_party/workload.ts";
import { readX509Context } from "./x509-context.ts";

const id = "spiffe://mesh.internal/api";
const root = makeRoot();
const leaf = makeLeaf(root, id);
const good = svidMessage(id, leaf, [root]);
const hex = (list: readonly Uint8Array[]) => list.map((der) => Buffer.from(der).toString("hex"));

function withSvid(change: Partial<X509SVID>): X509SVIDResponse {
  return { ...good, svids: good.svids.map((svid) => ({ ...svid, ...change })) };
}

describe("readX509Context", () => {
  it("reads identity, chain, key and roots", () => {
    const intermediate = makeIntermediate(root);
    const below = makeLeaf(intermediate, id);
    const context = readX509Context(
      svidMessage(id, below, [root, intermediate], { intermediates: [intermediate], hint: "internal" }),
    );
    expect(context.svids).toHaveLength(1);
    expect(context.svids[0]).toMatchObject({
      id: { trustDomain: "mesh.internal", path: "/api" },
      hint: "internal",
    });
    expect(hex(context.svids[0]!.chain)).toEqual(hex([below.der, intermediate.der]));
    expect(hex(context.bundles.get("mesh.internal")!)).toEqual(hex([root.der, intermediate.der]));
  });

  it("keeps each trust domain's roots apart", () => {
    const foreign = makeRoot("other.test");
    const context = readX509Context({
      ...good,
      federatedBundles: { "spiffe://other.test": Buffer.from(foreign.der) },
    });
    expect(new Set(context.bundles.keys())).toEqual(new Set(["mesh.internal", "other.test"]));
    expect(hex(context.bundles.get("other.test")!)).toEqual(hex([foreign.der]));
  });

  it("never lets a federated bundle replace that of an own trust domain", () => {
    const forged = { "spiffe://mesh.internal": Buffer.from(makeRoot().der) };
    const context = readX509Context({ ...good, federatedBundles: forged });
    expect(hex(context.bundles.get("mesh.internal")!)).toEqual(hex([root.der]));
  });

  it("takes the first of several SVIDs with one hint, and all without", () => {
    const of = (name: string, hint: string) => {
      const spiffeId = `spiffe://mesh.internal/${name}`;
      return svidMessage(spiffeId, makeLeaf(root, spiffeId), [root], { hint }).svids;
    };
    const svids = [...of("a", "x"), ...of("b", "x"), ...of("c", ""), ...of("d", "")];
    const context = readX509Context({ ...good, svids });
    expect(context.svids.map((svid) => svid.id.path)).toEqual(["/a", "/c", "/d"]);
  });

  it("reads an RSA key", () => {
    const rsa = makeLeaf(root, id, { keys: makeKeys("rsa") });
    expect(readX509Context(svidMessage(id, rsa, [root])).svids).toHaveLength(1);
  });

  it.each<[string, X509SVIDResponse, string]>([
    ["no SVID", { ...good, svids: [] }, "no identity"],
    ["an empty ID", withSvid({ spiffeId: "" }), "does not start"],
    [
      "an ID that is not its certificate's",
      withSvid({ spiffeId: "spiffe://mesh.internal/web" }),
      "its certificate says",
    ],
    ["no certificate", withSvid({ x509Svid: Buffer.alloc(0) }), "no certificate"],
    ["a corrupt certificate", withSvid({ x509Svid: Buffer.from(leaf.der).subarray(1) }), "DER"],
    ["no key", withSvid({ x509SvidKey: Buffer.alloc(0) }), "cannot be read"],
    ["a corrupt key", withSvid({ x509SvidKey: Buffer.from("key") }), "cannot be read"],
    [
      "another certificate's key",
      withSvid({ x509SvidKey: makeKeys().privateKey.export({ type: "pkcs8", format: "der" }) }),
      "not that of its certificate",
    ],
    ["an empty bundle", withSvid({ bundle: Buffer.alloc(0) }), "bundle of mesh.internal is empty"],
    ["a corrupt bundle", withSvid({ bundle: Buffer.from("bundle") }), "DER"],
    ["a CA as leaf", svidMessage(id, makeLeaf(root, id, { isCa: true }), [root]), "CA certificate"],
    [
      "an intermediate that is no CA",
      svidMessage(id, leaf, [root], { intermediates: [makeLeaf(root, "spiffe://mesh.internal/x")] }),
      "not a CA certificate",
    ],
    [
      "a federated bundle under the ID of a workload",
      { ...good, federatedBundles: { "spiffe://other.test/x": Buffer.from(root.der) } },
      "not the ID of a trust domain",
    ],
    [
      "an empty federated bundle",
      { ...good, federatedBundles: { "spiffe://other.test": Buffer.alloc(0) } },
      "is empty",
    ],
  ])("refuses a message with %s", (_, message, why) => {
    expect(() => readX509Context(message)).toThrow(
      expect.objectContaining({ code: "WEFT-E205", why: expect.stringContaining(why) }),
    );
  });
});
