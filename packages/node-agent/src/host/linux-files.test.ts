import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { WeftError } from "@weft/shared/errors/weft-error";
import { type FileSystem, LinuxFiles } from "./linux-files.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "weft-files-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const failing = (code: string) => Object.assign(new Error(`${code}: no`), { code });

/** A disk that fills up while a file is written, or a mount that takes no rename. */
const broken: Readonly<Record<string, FileSystem>> = {
  ENOSPC: {
    rename: fs.rename,
    open: async (...args) => {
      const handle = await fs.open(...args);
      handle.writeFile = async () => {
        await handle.write("half");
        throw failing("ENOSPC");
      };
      return handle;
    },
  },
  EBUSY: { open: fs.open, rename: () => Promise.reject(failing("EBUSY")) },
  EROFS: { open: () => Promise.reject(failing("EROFS")), rename: fs.rename },
};

describe("LinuxFiles.write", () => {
  it("sets the mode whatever the umask, and makes parents that others may enter", async () => {
    const umask = process.umask(0o077);
    try {
      const files = new LinuxFiles(root);
      await files.write("/etc/weft/dns/Corefile", "x", { mode: 0o644 });
      await files.write("/secret", "x", { mode: 0o600 });
    } finally {
      process.umask(umask);
    }
    expect(statSync(join(root, "etc/weft/dns/Corefile")).mode & 0o777).toBe(0o644);
    expect(statSync(join(root, "etc/weft")).mode & 0o777).toBe(0o755);
    expect(statSync(join(root, "secret")).mode & 0o777).toBe(0o600);
  });

  it.each(Object.keys(broken))(
    "leaves the old content and nothing else when the disk says %s",
    async (code) => {
      writeFileSync(join(root, "file"), "old");
      const files = new LinuxFiles(root, broken[code]);
      await expect(files.write("/file", "new")).rejects.toMatchObject({ code: "WEFT-E002" });
      expect(readFileSync(join(root, "file"), "utf8")).toBe("old");
      expect(readdirSync(root)).toEqual(["file"]);
    },
  );

  it("writes parts as they come, and leaves nothing when they end in an error", async () => {
    const files = new LinuxFiles(root);
    const parts = async function* (isGood: boolean) {
      yield Buffer.from("a");
      yield Buffer.from("b");
      if (!isGood) throw new WeftError("WEFT-E301", "wrong hash");
    };
    await files.write("/good", parts(true));
    expect(readFileSync(join(root, "good"), "utf8")).toBe("ab");
    await expect(files.write("/bad", parts(false))).rejects.toMatchObject({ code: "WEFT-E301" });
    expect(readdirSync(root)).toEqual(["good"]);
  });
});

describe("LinuxFiles", () => {
  it("answers undefined for what is not there, and an error for what cannot be read", async () => {
    const files = new LinuxFiles(root);
    expect(await files.read("/none")).toBeUndefined();
    expect(await files.info("/none/below")).toBeUndefined();
    expect(await files.sha256("/none")).toBeUndefined();
    expect(await files.list("/none")).toEqual([]);
    await files.makeDirectory("/folder", 0o700);
    await expect(files.readText("/folder")).rejects.toMatchObject({ code: "WEFT-E002" });
  });

  it("puts a link in the place of a file at once", async () => {
    const files = new LinuxFiles(root);
    await files.write("/resolv.conf", "x");
    await files.symlink("../run/stub", "/resolv.conf");
    expect(await files.info("/resolv.conf")).toMatchObject({ kind: "symlink", target: "../run/stub" });
    expect(await files.list("/")).toEqual(["resolv.conf"]);
  });
});
