// In: absolute paths and bytes. Out: the Files of a real machine, below a root prefix ("" for the machine itself).
// A write is temp file, fsync, rename, fsync of the directory; what fails leaves nothing behind.
import { createHash, randomBytes } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf, isNotFound } from "@weft/shared/errors/system";
import { isWeftError, messageOf, WeftError } from "@weft/shared/errors/weft-error";
import type { FileContent, FileInfo, Files } from "./host.ts";

/** The system calls a write is made of, apart so that a test can have the disk fill up in the middle. */
export interface FileSystem {
  readonly open: typeof fs.open;
  readonly rename: typeof fs.rename;
}

const partSize = 1 << 20;

const hints: Readonly<Record<string, string>> = {
  ENOSPC: "free space on that file system",
  EDQUOT: "free space on that file system",
  EROFS: "make the file system writable",
  EACCES: "run as root, or correct the owner and mode of the directory",
  EPERM: "the file may be immutable (lsattr), or a mount of its own",
};

function refused(verb: string, path: string, cause: unknown): WeftError {
  const hint = hints[errnoOf(cause) ?? ""];
  return new WeftError("WEFT-E002", `${path} cannot be ${verb}`, {
    why: messageOf(cause),
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

export class LinuxFiles implements Files {
  readonly #root: string;
  readonly #system: FileSystem;

  /** @param root "" for the machine itself; a directory in tests */
  constructor(root = "", system: FileSystem = fs) {
    this.#root = root;
    this.#system = system;
  }

  #at(path: string): string {
    if (!path.startsWith("/")) throw new RangeError(`"${path}" is not absolute`);
    return `${this.#root}${path}`;
  }

  async #attempt<T>(verb: string, path: string, work: (at: string) => Promise<T>): Promise<T> {
    try {
      return await work(this.#at(path));
    } catch (failure) {
      if (isWeftError(failure)) throw failure;
      throw refused(verb, path, failure);
    }
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    try {
      return await fs.readFile(this.#at(path));
    } catch (failure) {
      if (isNotFound(failure) || errnoOf(failure) === "ENOTDIR") return undefined;
      throw refused("read", path, failure);
    }
  }

  async readText(path: string): Promise<string | undefined> {
    const bytes = await this.read(path);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8");
  }

  async *parts(path: string): AsyncGenerator<Uint8Array> {
    try {
      yield* createReadStream(this.#at(path), { highWaterMark: partSize });
    } catch (failure) {
      throw refused("read", path, failure);
    }
  }

  async sha256(path: string): Promise<string | undefined> {
    const hash = createHash("sha256");
    try {
      for await (const chunk of createReadStream(this.#at(path))) hash.update(chunk);
    } catch (failure) {
      if (isNotFound(failure)) return undefined;
      throw refused("read", path, failure);
    }
    return hash.digest("hex");
  }

  async info(path: string): Promise<FileInfo | undefined> {
    try {
      const at = this.#at(path);
      const found = await fs.lstat(at);
      const kind = found.isFile()
        ? "file"
        : found.isSymbolicLink()
          ? "symlink"
          : found.isDirectory()
            ? "directory"
            : "other";
      const target = kind === "symlink" ? await fs.readlink(at) : undefined;
      const { uid, gid, size } = found;
      return { kind, mode: found.mode & 0o7777, uid, gid, size, modified: Math.trunc(found.mtimeMs), target };
    } catch (failure) {
      if (isNotFound(failure) || errnoOf(failure) === "ENOTDIR") return undefined;
      throw refused("read", path, failure);
    }
  }

  async list(path: string): Promise<string[]> {
    try {
      return (await fs.readdir(this.#at(path))).sort();
    } catch (failure) {
      if (isNotFound(failure)) return [];
      throw refused("read", path, failure);
    }
  }

  write(
    path: string,
    content: FileContent,
    options: { mode?: number; uid?: number; gid?: number } = {},
  ): Promise<void> {
    return this.#attempt("written", path, async (at) => {
      await this.#makeParents(dirname(at));
      const temporary = `${at}.weft-${randomBytes(6).toString("hex")}`;
      try {
        await this.#writeWhole(temporary, content, options);
        await this.#system.rename(temporary, at);
      } catch (failure) {
        await fs.rm(temporary, { force: true });
        throw failure;
      }
      await this.#syncDirectory(dirname(at));
    });
  }

  async #writeWhole(
    at: string,
    content: FileContent,
    options: { mode?: number; uid?: number; gid?: number },
  ): Promise<void> {
    const mode = options.mode ?? 0o644;
    const handle = await this.#system.open(
      at,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
      mode,
    );
    try {
      // The umask has cut the mode that open was given.
      await handle.chmod(mode);
      if (options.uid !== undefined || options.gid !== undefined)
        await handle.chown(options.uid ?? process.getuid?.() ?? 0, options.gid ?? process.getgid?.() ?? 0);
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async #makeParents(directory: string): Promise<void> {
    const first = await fs.mkdir(directory, { recursive: true });
    // The umask of the unit is 0077; configuration that another user's program reads needs a way in.
    for (let made = directory; first !== undefined && made.length >= first.length; made = dirname(made))
      await fs.chmod(made, 0o755);
  }

  async #syncDirectory(directory: string): Promise<void> {
    const handle = await fs.open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  rename(from: string, to: string): Promise<void> {
    return this.#attempt("renamed", from, async (at) => {
      await this.#system.rename(at, this.#at(to));
      await this.#syncDirectory(dirname(this.#at(to)));
    });
  }

  symlink(target: string, path: string): Promise<void> {
    return this.#attempt("linked", path, async (at) => {
      await this.#makeParents(dirname(at));
      const temporary = `${at}.weft-${randomBytes(6).toString("hex")}`;
      await fs.symlink(target, temporary);
      try {
        await this.#system.rename(temporary, at);
      } catch (failure) {
        await fs.rm(temporary, { force: true });
        throw failure;
      }
      await this.#syncDirectory(dirname(at));
    });
  }

  remove(path: string): Promise<void> {
    return this.#attempt("removed", path, async (at) => {
      await fs.rm(at, { force: true });
    });
  }

  removeTree(path: string): Promise<void> {
    return this.#attempt("removed", path, async (at) => {
      await fs.rm(at, { force: true, recursive: true });
    });
  }

  makeDirectory(path: string, mode: number): Promise<void> {
    return this.#attempt("made", path, async (at) => {
      await fs.mkdir(at, { recursive: true });
      await fs.chmod(at, mode);
    });
  }
}
