import { chmodSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import * as fs from "node:fs/promises";
import { afterEach, describe, expect, it } from "@jest/globals";
import { resolvConfMarker } from "@weft/shared/render/resolv-conf";
import fc from "fast-check";
import { answered, dying, ResolverHost, silent, takeArgs } from "../../../../test/support/resolver-host.ts";
import type { Files } from "../host/host.ts";
import { LinuxFiles } from "../host/linux-files.ts";
import { originalPath, parseOriginal } from "./original.ts";
import { GiveResolver, giveBack, TakeResolver } from "./take-resolver.ts";

const { signal } = new AbortController();

const machines: ResolverHost[] = [];
function machine(text: string | undefined, makeFiles?: (root: string) => Files): ResolverHost {
  const made = new ResolverHost(makeFiles);
  machines.push(made);
  if (text !== undefined) writeFileSync(made.path, text, "latin1");
  return made;
}
afterEach(() => {
  for (const made of machines.splice(0)) made.fake.dispose();
});

const ordinary = "# by hand\nnameserver 192.0.2.53\nsearch corp.example\n";

describe("taking a file and giving it back", () => {
  it("puts our server in front, with the record synced before", async () => {
    const web = machine(ordinary);
    await web.take();
    expect(web.text()).toBe(
      `${resolvConfMarker}\nnameserver 127.0.0.153\nnameserver 192.0.2.53\nsearch corp.example\n`,
    );
    expect(lstatSync(`${web.fake.root}${originalPath}`).mode & 0o777).toBe(0o600);
    await new TakeResolver(web.host, web.client).verify(takeArgs, signal);
  });

  it("gives back any bytes, any mode and any link as they were", async () => {
    const arbitraryFile = fc.oneof(
      fc.record({ bytes: fc.uint8Array({ maxLength: 400 }), mode: fc.integer({ min: 0o400, max: 0o777 }) }),
      fc.record({ target: fc.constantFrom("elsewhere", "../etc/elsewhere", "/nowhere") }),
      fc.constant("missing" as const),
    );
    await fc.assert(
      fc.asyncProperty(arbitraryFile, async (file) => {
        const web = machine(undefined);
        writeFileSync(`${web.fake.root}/etc/elsewhere`, ordinary);
        if (file !== "missing" && "bytes" in file) {
          writeFileSync(web.path, file.bytes);
          chmodSync(web.path, file.mode);
        } else if (file !== "missing") symlinkSync(file.target, web.path);
        const before = web.snapshot();
        const undo = await web.take();
        expect(web.text()).toContain("nameserver 127.0.0.153\n");
        await undo();
        expect(web.snapshot()).toBe(before);
        expect(web.recorded()).toBe(false);
        web.fake.dispose();
      }),
      { numRuns: 60 },
    );
  });

  it("gives back the owner", async () => {
    if (process.getuid?.() !== 0) return;
    const web = machine(ordinary);
    await fs.chown(web.path, 1234, 4321);
    const before = web.snapshot();
    await (await web.take())();
    expect(web.snapshot()).toBe(before);
  });

  it("comes back whole from a crash at any point, when taking and when giving", async () => {
    for (let survived = 0; survived < 12; survived++) {
      for (const phase of ["take", "give"] as const) {
        const mortal = { left: Number.POSITIVE_INFINITY };
        const web = machine(ordinary, (root) => dying(new LinuxFiles(root), mortal));
        const before = web.snapshot();
        if (phase === "give") await web.take();
        mortal.left = survived;
        await (phase === "take" ? web.take() : giveBack(web.host)).catch(() => undefined);
        mortal.left = Number.POSITIVE_INFINITY;
        await giveBack(web.host);
        expect(web.snapshot()).toBe(before);
        expect(web.recorded()).toBe(false);
      }
    }
  });

  it("does nothing twice", async () => {
    const web = machine(ordinary);
    const before = web.snapshot();
    await web.take();
    const recorded = readFileSync(`${web.fake.root}${originalPath}`, "utf8");
    await web.take();
    expect(readFileSync(`${web.fake.root}${originalPath}`, "utf8")).toBe(recorded);
    await giveBack(web.host);
    await giveBack(web.host);
    expect(web.snapshot()).toBe(before);
  });

  it("takes again what an undone step had given back", async () => {
    const web = machine(ordinary);
    await web.take();
    const taken = web.snapshot();
    const give = new GiveResolver(web.host);
    const undo = await give.apply();
    await give.verify();
    await undo();
    expect(web.snapshot()).toBe(taken);
    await expect(give.verify()).rejects.toThrow(/not given back/);
  });
});

describe("what is not ours any more", () => {
  it("is never overwritten, neither by taking nor by giving", async () => {
    const web = machine(ordinary);
    await web.take();
    writeFileSync(web.path, "nameserver 192.0.2.99\n");
    const foreign = web.snapshot();
    for (const _again of [1, 2]) await expect(web.take()).rejects.toThrow(/changed by somebody else/);
    expect(web.snapshot()).toBe(foreign);
    expect(await giveBack(web.host)).toMatchObject({
      kind: "left",
      why: expect.stringContaining("192.0.2.99"),
    });
    expect(web.snapshot()).toBe(foreign);
  });

  it("keeps the edits of a file of ours, and loses only our lines", async () => {
    const web = machine(ordinary);
    await web.take();
    writeFileSync(web.path, `${web.text()}# mine\nnameserver 192.0.2.99\n`);
    expect(await giveBack(web.host)).toMatchObject({ kind: "left" });
    expect(web.text()).toBe("nameserver 192.0.2.53\nsearch corp.example\n# mine\nnameserver 192.0.2.99\n");
  });

  it("never records our own bytes as the original, even with the record lost", async () => {
    const web = machine(ordinary);
    await web.take();
    await web.host.files.remove(originalPath);
    await web.take();
    const original = parseOriginal(readFileSync(`${web.fake.root}${originalPath}`, "utf8"));
    expect(original).toMatchObject({ mode: "file", file: { kind: "file" } });
    await giveBack(web.host);
    expect(web.text()).toBe("nameserver 192.0.2.53\nsearch corp.example\n");
  });
});

describe("a takeover that does not prove itself", () => {
  it.each<[string, (web: ResolverHost) => void, RegExp]>([
    [
      "weft-dns does not answer",
      (web) => {
        web.resolver = silent;
      },
      /does not answer/,
    ],
    [
      "weft-dns lacks the name",
      (web) => {
        web.resolver = answered();
      },
      /no address/,
    ],
    [
      "public names fail through it",
      (web) => {
        web.resolverRoot = answered(undefined, "SERVFAIL");
      },
      /public names/,
    ],
  ])("changes nothing when %s", async (_what, breakIt, message) => {
    const web = machine(ordinary);
    const before = web.snapshot();
    breakIt(web);
    await expect(web.take()).rejects.toThrow(message);
    expect(web.snapshot()).toBe(before);
    expect(web.recorded()).toBe(false);
  });

  it.each<[string, (web: ResolverHost) => void, RegExp]>([
    [
      "nss finds nothing",
      (web) => {
        web.getent = () => "";
      },
      /finds nothing/,
    ],
    [
      "nss finds another address",
      (web) => {
        web.getent = () => "127.0.1.1 STREAM web1\n";
      },
      /127\.0\.1\.1/,
    ],
    [
      "a name that does not exist resolves",
      (web) => {
        web.getent = () => "10.77.0.11 STREAM x\n";
      },
      /does not exist/,
    ],
  ])("is given back when %s", async (_what, breakIt, why) => {
    const web = machine(ordinary);
    const before = web.snapshot();
    breakIt(web);
    await expect(web.take()).rejects.toMatchObject({ code: "WEFT-E401", why: expect.stringMatching(why) });
    expect(web.snapshot()).toBe(before);
    expect(web.recorded()).toBe(false);
  });

  it("does not ask public names of weft-dns when the upstream itself is silent", async () => {
    const web = machine(ordinary);
    web.upstream = silent;
    web.resolverRoot = silent;
    await web.take();
    expect(web.recorded()).toBe(true);
  });

  it.each(["EBUSY", "EPERM", "EROFS", "ENOSPC"])(
    "leaves the original when the rename fails with %s",
    async (code) => {
      const broken = (root: string) =>
        new LinuxFiles(root, {
          open: fs.open,
          rename: async (from, to) => {
            if (String(to).endsWith("/etc/resolv.conf")) throw Object.assign(new Error(code), { code });
            await fs.rename(from, to);
          },
        });
      const web = machine(ordinary, broken);
      const before = web.snapshot();
      await expect(web.take()).rejects.toMatchObject({ code: "WEFT-E002" });
      expect(web.snapshot()).toBe(before);
      expect(web.recorded()).toBe(false);
      expect(await web.host.files.list("/etc")).toEqual(["resolv.conf"]);
    },
  );
});
