import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { expect, it } from "@jest/globals";
import { CheckedBlob } from "./checked-blob.ts";

const bytes = Buffer.from("a layer");
const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const blob = { digest, size: bytes.length };

async function* inParts(content: Buffer): AsyncGenerator<Uint8Array> {
  for (const byte of content) yield Buffer.from([byte]);
}

it("passes on what is right", async () => {
  const checked = new CheckedBlob(blob, inParts(bytes));
  expect(await buffer(checked.parts())).toEqual(bytes);
  expect(() => checked.assertRight()).not.toThrow();
});

it.each<[string, Buffer, string]>([
  ["other bytes", Buffer.from("A layer"), "Its bytes are those of sha256:"],
  ["fewer", bytes.subarray(1), "It should have 7 bytes, and has 6."],
  ["more", Buffer.concat([bytes, bytes]), "It should have 7 bytes, and has more."],
])("throws at the end of %s", async (_, content, why) => {
  const checked = new CheckedBlob(blob, inParts(content));
  await expect(buffer(checked.parts())).rejects.toMatchObject({
    code: "WEFT-E301",
    why: expect.stringContaining(why),
  });
  expect(() => checked.assertRight()).toThrow(digest);
});

it("is not right for who stopped before its end", async () => {
  const checked = new CheckedBlob(blob, inParts(bytes));
  for await (const _ of checked.parts()) break;
  expect(() => checked.assertRight()).toThrow(`${digest} in the archive goes on after its end`);
});
