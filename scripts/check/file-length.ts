// In: the project folder. Out: the hand-written files that are longer than they may be.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isNotFound } from "@weft/shared/errors/system";
import { execa } from "execa";
import type { CheckStep } from "./run-steps.ts";

const limit = 300;
const handWritten = /(\.(ts|cjs|mjs|js|sh|proto|service)|^install\.sh|^scripts\/[^./]+|^\.ci\/run)$/;
/** Made by a program, or copied whole from another project. */
const foreign = /(^|\/)(gen|third_party|node_modules|dist)\//;
/** The reason stands in the file itself. */
const reason = /over 300 lines:/;

export const fileLength: CheckStep = {
  name: "file length",
  async run(root) {
    const { stdout } = await execa("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
      cwd: root,
    });
    const paths = stdout.split("\n").filter((path) => handWritten.test(path) && !foreign.test(path));
    const found = await Promise.all(paths.map((path) => tooLong(root, path)));
    return found.filter((text) => text !== "").join("\n");
  },
};

async function tooLong(root: string, path: string): Promise<string> {
  try {
    const text = await readFile(join(root, path), "utf8");
    const lines = text.split("\n").length - 1;
    return lines <= limit || reason.test(text)
      ? ""
      : `${path} has ${lines} lines: split it, or say why not in a comment "over 300 lines: ..."`;
  } catch (error) {
    if (isNotFound(error)) return ""; // removed, not committed yet
    throw error;
  }
}
