import { sign, verify } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { makeMeshRoot, openRoot, readSealedHeader, sealRoot } from "./mesh-root.ts";
import { readPublicKey } from "./public-key.ts";

const passphrase = "correct horse battery";
const root = makeMeshRoot();
const cost = { N: 2 ** 15, r: 8, p: 1 };
const sealed = sealRoot(root, { mesh: "shop", meshId: "m1", passphrase, cost });

interface Json {
  [key: string]: string | number | Json;
}

/** The paths of all fields that hold no further fields. */
function fieldsOf(value: Json, path: readonly string[] = []): string[][] {
  return Object.entries(value).flatMap(([key, item]) =>
    typeof item === "object" ? fieldsOf(item, [...path, key]) : [[...path, key]],
  );
}

function changed(item: string | number): string | number {
  if (typeof item === "number") return item * 2;
  const first = item.startsWith("A") ? "B" : "A";
  return `${first}${item.slice(1)}`;
}

function withChange(path: readonly string[]): string {
  const copy = JSON.parse(sealed) as Json;
  let holder = copy;
  for (const key of path.slice(0, -1)) holder = holder[key] as Json;
  const last = path.at(-1)!;
  holder[last] = changed(holder[last] as string | number);
  return JSON.stringify(copy);
}

describe("the sealed mesh root", () => {
  it("opens with its passphrase to the same key", () => {
    const opened = openRoot(sealed, passphrase);
    expect(opened.pin).toBe(root.pin);
    const message = Buffer.from("hello");
    expect(
      verify(null, message, readPublicKey(root.publicKey)!, sign(null, message, opened.privateKey)),
    ).toBe(true);
  });

  it("does not open with another passphrase", () => {
    expect(() => openRoot(sealed, "correct horse batterz")).toThrow(
      expect.objectContaining({ code: "WEFT-E200" }),
    );
  });

  it("takes a passphrase in either Unicode spelling, as keyboards differ", () => {
    const text = sealRoot(root, {
      mesh: "shop",
      meshId: "m1",
      passphrase: "caf\u00e9 caf\u00e9 caf\u00e9",
      cost,
    });
    expect(openRoot(text, "cafe\u0301 cafe\u0301 cafe\u0301").pin).toBe(root.pin);
  });

  it.each(fieldsOf(JSON.parse(sealed) as Json).map((path) => [path.join(".")]))(
    "notices a change of %s",
    (path) => {
      expect(() => openRoot(withChange(path.split(".")), passphrase)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^WEFT-E(003|200)$/) }),
      );
    },
  );

  it("refuses costs that are too low or would eat all memory, and a shortened tag", () => {
    const with_ = (change: (copy: { kdf: { N: number }; cipher: { tag: string } }) => void) => {
      const copy = JSON.parse(sealed);
      change(copy);
      return () => openRoot(JSON.stringify(copy), passphrase);
    };
    expect(with_((copy) => (copy.kdf.N = 1024))).toThrow(expect.objectContaining({ code: "WEFT-E003" }));
    expect(with_((copy) => (copy.kdf.N = 2 ** 30))).toThrow(expect.objectContaining({ code: "WEFT-E003" }));
    const shorten = (tag: string) => Buffer.from(tag, "base64").subarray(0, 4).toString("base64");
    expect(with_((copy) => (copy.cipher.tag = shorten(copy.cipher.tag)))).toThrow(
      expect.objectContaining({ code: "WEFT-E003" }),
    );
  });

  it("names its mesh and pin without the passphrase, and never holds the key in the clear", () => {
    expect(readSealedHeader(sealed)).toEqual({ mesh: "shop", meshId: "m1", pin: root.pin });
    const secret = root.privateKey.export({ type: "pkcs8", format: "der" }).subarray(-32);
    expect(sealed).not.toContain(secret.toString("base64").slice(0, 16));
  });

  it("differs each time, and wants a passphrase of some length", () => {
    expect(sealRoot(root, { mesh: "shop", meshId: "m1", passphrase, cost })).not.toBe(sealed);
    expect(() => sealRoot(root, { mesh: "shop", meshId: "m1", passphrase: "short", cost })).toThrow(
      expect.objectContaining({ code: "WEFT-E001" }),
    );
  });
});
