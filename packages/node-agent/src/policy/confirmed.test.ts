// What was last confirmed, read from a real directory, whole and damaged.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { LinuxFiles } from "../host/linux-files.ts";
import { places } from "../state/places.ts";
import { readConfirmed, writeConfirmedRecord } from "./confirmed.ts";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "weft-confirmed-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe("the confirmed policy", () => {
  it("is what was written", async () => {
    const files = new LinuxFiles(root);
    await files.write(places.confirmedPolicy, "rules");
    await writeConfirmedRecord(files, { revision: 3, digest: "d", fingerprint: "f" });
    expect(await readConfirmed(files)).toMatchObject({
      text: "rules",
      revision: 3,
      digest: "d",
      fingerprint: "f",
    });
  });

  it.each(["", "{", "[]", '{"revision":-1}'])(
    "with the damaged record %j is rules to load again",
    async (record) => {
      const files = new LinuxFiles(root);
      await files.write(places.confirmedPolicy, "rules");
      await files.write(places.confirmedRecord, record);
      expect(await readConfirmed(files)).toMatchObject({
        text: "rules",
        revision: 0,
        digest: "",
        fingerprint: "",
      });
    },
  );
});
