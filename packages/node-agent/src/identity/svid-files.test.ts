import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { ciliumSvidFiles as files, type SvidFiles } from "@weft/shared/render/etcd-places";
import { parseSpiffeId } from "@weft/shared/spiffe/spiffe-id";
import type { X509Context } from "@weft/shared/spiffe/x509-context";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { type CertificateWish, type Issued, makeLeaf, makeRoot } from "../../../../test/support/test-ca.ts";
import { StepBook } from "../cilium/step-book.ts";
import { type SvidSource, type SvidWish, writeSvidFiles } from "./svid-files.ts";

const id = "spiffe://mesh.internal/weft/cilium/api1";
const name = "api1.cilium.weft";
const wish: SvidWish = { id, dnsNames: [name], files, gid: undefined };
const root = makeRoot();
const leafOf = (more: Partial<CertificateWish> = {}) =>
  makeLeaf(root, id, {
    commonName: name,
    dnsNames: [name],
    notBefore: new Date("2026-11-01T00:00:00Z"),
    notAfter: new Date("2026-11-22T13:00:00Z"),
    ...more,
  });
const contextOf = (leaf: Issued, of = id): X509Context => ({
  svids: [
    {
      ...{ id: parseSpiffeId(of), hint: "", chain: [leaf.der], notAfter: new Date() },
      privateKey: leaf.keys.privateKey.export({ type: "pkcs8", format: "der" }),
    },
  ],
  bundles: new Map([["mesh.internal", [root.der]]]),
});

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.dispose());

const look = (context: X509Context | undefined, trouble?: string, more: Partial<SvidWish> = {}) => {
  const book = new StepBook(host.clock);
  const source: SvidSource = { context, trouble };
  return writeSvidFiles(host, book, { ...wish, ...more }, source).then((standing) => ({
    ...standing,
    steps: book.steps.length,
  }));
};
const text = (of: keyof SvidFiles) => host.files.readText(files[of]);

describe("files of an SVID", () => {
  it("are written once, the key root's alone; the bundle is for whoever starts the program", async () => {
    const leaf = leafOf();
    const first = await look(contextOf(leaf));
    expect(first).toEqual({ bundle: root.pem, isUsable: true, trouble: undefined, steps: 1 });
    expect([await text("certificate"), await text("key")]).toEqual([leaf.pem, leaf.keyPem]);
    expect(await text("bundle")).toBeUndefined();
    expect((await host.files.info(files.key))?.mode).toBe(0o600);
    expect((await host.files.info(files.certificate))?.mode).toBe(0o644);
    expect((await look(contextOf(leaf))).steps).toBe(0);
  });

  it("can be read by a program's group, and not changed", async () => {
    const gid = process.getgid?.() ?? 0;
    await look(contextOf(leafOf()), undefined, { gid });
    expect(await host.files.info(files.key)).toMatchObject({ mode: 0o640, uid: 0, gid });
  });

  it("are those of the newest", async () => {
    await look(contextOf(leafOf()));
    const next = leafOf();
    expect((await look(contextOf(next))).steps).toBe(1);
    expect([await text("certificate"), await text("key")]).toEqual([next.pem, next.keyPem]);
  });

  it("serve on while there is no newer one, until they end", async () => {
    await look(contextOf(leafOf()));
    expect(await look(undefined, "away")).toMatchObject({ isUsable: true, trouble: undefined });
    expect(await look({ svids: [], bundles: new Map() })).toMatchObject({
      isUsable: true,
      bundle: undefined,
      trouble: `SPIRE gives no ${id} here (yet)`,
    });
    host.clock.advance(3_600_000);
    expect(await look(undefined, "away")).toMatchObject({
      isUsable: false,
      trouble: "its certificate ended at 2026-11-22T13:00:00.000Z: away",
    });
  });

  it("are waited for", async () => {
    expect(await look(undefined, "away")).toMatchObject({
      isUsable: false,
      trouble: "it waits for its certificate: away",
    });
  });

  it.each<[string, Partial<CertificateWish>]>([
    ["another name", { dnsNames: ["web1.cilium.weft"] }],
    ["a name more", { dnsNames: [name, "localhost"] }],
    ["a common name of somebody else", { commonName: "hub.node.mesh.internal" }],
    ["no common name", { commonName: "" }],
  ])("are not made of a certificate with %s: etcd would take it for another user", async (_what, more) => {
    const found = await look(contextOf(leafOf(more)));
    expect(found).toMatchObject({ isUsable: false, bundle: undefined });
    expect(found.trouble).toContain(`the certificate of ${id} is`);
    expect(await text("key")).toBeUndefined();
  });

  it("are not made of somebody else's certificate", async () => {
    const other = "spiffe://mesh.internal/weft/cilium/web1";
    expect(await look(contextOf(leafOf(), other))).toMatchObject({ isUsable: false });
    expect(await text("key")).toBeUndefined();
  });

  it("are said to be damaged if they are", async () => {
    await host.files.write(files.key, "x");
    await host.files.write(files.certificate, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    expect(await look(undefined)).toMatchObject({
      isUsable: false,
      trouble: expect.stringContaining("damaged"),
    });
  });
});
