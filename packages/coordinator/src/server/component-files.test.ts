// Component files as nodes get them: whole, in small pieces, from one buffer, and only with the hash they asked for.
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { ComponentFiles, chunkBytes } from "./component-files.ts";

const content = randomBytes(3 * chunkBytes + 17);
const sha256 = createHash("sha256").update(content).digest("hex");
const never = new AbortController().signal;

describe("ComponentFiles", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "weft-components-"));
    await writeFile(join(folder, "coredns"), content);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("sends the whole file in order and says its size", async () => {
    const parts: Buffer[] = [];
    await new ComponentFiles(folder).stream(
      { name: "coredns", sha256 },
      async (data, total) => {
        expect(total).toBe(content.length);
        expect(data.length).toBeLessThanOrEqual(chunkBytes);
        parts.push(Buffer.from(data));
      },
      never,
    );
    expect(Buffer.concat(parts).equals(content)).toBe(true);
  });

  it("holds one chunk, however long the file and however slow the reader", async () => {
    const memory = new Set<ArrayBufferLike>();
    let atOnce = 0;
    await new ComponentFiles(folder).stream(
      { name: "coredns", sha256 },
      async (data) => {
        expect(++atOnce).toBe(1);
        memory.add(data.buffer);
        await new Promise((resolve) => setImmediate(resolve));
        atOnce--;
      },
      never,
    );
    expect(memory.size).toBe(1);
  });

  it("stops when the reader has gone", async () => {
    const gone = new AbortController();
    let sent = 0;
    await new ComponentFiles(folder).stream(
      { name: "coredns", sha256 },
      async () => {
        sent++;
        gone.abort();
      },
      gone.signal,
    );
    expect(sent).toBe(1);
  });

  it.each([
    ["another hash", { name: "coredns", sha256: "0".repeat(64) }, "WEFT-E301"],
    ["a component that is not there", { name: "spire-agent", sha256 }, "WEFT-E300"],
    ["a name that is none", { name: "../coredns", sha256 }, "WEFT-E300"],
  ])("sends nothing for %s", async (_what, wanted, code) => {
    const send = async () => {
      throw new Error("something was sent");
    };
    await expect(new ComponentFiles(folder).stream(wanted, send, never)).rejects.toMatchObject({ code });
  });

  it("sees that a file was replaced", async () => {
    const files = new ComponentFiles(folder);
    await files.stream({ name: "coredns", sha256 }, async () => {}, never);
    await writeFile(join(folder, "coredns"), "another release");
    await expect(files.stream({ name: "coredns", sha256 }, async () => {}, never)).rejects.toMatchObject({
      code: "WEFT-E301",
    });
  });
});
