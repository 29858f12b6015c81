// What boot would load, read from a real directory, whole and damaged; and that weft-restore chooses the same.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { execa } from "execa";
import { LinuxFiles } from "../host/linux-files.ts";
import { places } from "../state/places.ts";
import { readConfirmed, writeConfirmedRecord, writeScript } from "./confirmed.ts";

let root = "";
let files: LinuxFiles;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "weft-confirmed-"));
  files = new LinuxFiles(root);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const header = (digest: string) =>
  `add rule inet weft input goto a_input\nadd element inet weft rev {\n  3 comment "digest=${digest}"\n}\n`;
const digest = "d".repeat(64);

describe("the confirmed policy", () => {
  it("is what was written", async () => {
    await writeScript(files, places.confirmedPolicy, header(digest));
    await writeConfirmedRecord(files, { revision: 3, digest, fingerprint: "f" });
    expect(await readConfirmed(files)).toMatchObject({
      text: header(digest),
      source: "confirmed",
      slot: "a",
      revision: 3,
      digest,
      fingerprint: "f",
    });
  });

  it.each(["", "{", "[]", '{"revision":-1}', '{"revision":2,"digest":"c","fingerprint":"f"}'])(
    "with the damaged or older record %j is rules to load again",
    async (record) => {
      await writeScript(files, places.confirmedPolicy, header(digest));
      await files.write(places.confirmedRecord, record);
      expect(await readConfirmed(files)).toMatchObject({ source: "confirmed", digest, fingerprint: "" });
    },
  );
});

/** Each still has something that nft would take. */
const damages: Readonly<Record<string, (whole: Buffer) => Buffer>> = {
  "cut off after a line": (whole) => whole.subarray(0, whole.indexOf("\n", 100) + 1),
  "one bit flipped": (whole) => {
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(flipped.readUInt8(flipped.length - 9) ^ 1, flipped.length - 9);
    return flipped;
  },
  "a bit of the digest flipped": (whole) => {
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(flipped.readUInt8(20) ^ 1, 20);
    return flipped;
  },
  "no text": (whole) => whole.subarray(0, whole.indexOf("\n") + 1),
  "an empty file": () => Buffer.alloc(0),
  "a file that does not say what it should be": (whole) => whole.subarray(whole.indexOf("\n") + 1),
  "more than was written": (whole) => Buffer.concat([whole, Buffer.from("\n")]),
};

/** The script of the unit, on this directory and with an nft that says what it was given. */
async function restored(): Promise<string> {
  const script = new URL("../../systemd/weft-restore.sh", import.meta.url);
  const text = (await readFile(script, "utf8"))
    .replaceAll("/var/lib", `${root}/var/lib`)
    .replaceAll("/run/weft-restore/", `${root}/`)
    .replaceAll("/usr/sbin/nft", "true");
  await execa("/bin/sh", ["-c", text], { reject: false });
  return (await readFile(join(root, "outcome"), "utf8")).trim();
}

describe("what boot loads", () => {
  const order = [places.confirmedPolicy, places.previousPolicy, places.guardsOnlyPolicy];
  const damage = async (path: string, how: string) => {
    const at = `${root}${path}`;
    await writeFile(at, damages[how]!(await readFile(at)));
  };
  beforeEach(async () => {
    for (const path of order) await writeScript(files, path, `${header(digest)}# ${path}\n`);
  });

  it.each(Object.keys(damages))("is never %s, by the agent's reading and by weft-restore's", async (how) => {
    expect([(await readConfirmed(files))?.source, await restored()]).toEqual(["confirmed", "confirmed"]);
    await damage(places.confirmedPolicy, how);
    expect([(await readConfirmed(files))?.source, await restored()]).toEqual(["previous", "previous"]);
    await files.remove(places.previousPolicy);
    expect([(await readConfirmed(files))?.source, await restored()]).toEqual(["guards-only", "guards-only"]);
    await damage(places.guardsOnlyPolicy, how);
    expect([await readConfirmed(files), await restored()]).toEqual([undefined, "nothing"]);
  });
});
