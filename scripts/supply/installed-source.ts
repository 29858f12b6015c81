// In: a component and the folders where binaries may already be. Out: their paths, if one folder set holds all of
// them at the pinned version.
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "@weft/shared/errors/weft-error";
import { execa } from "execa";
import type { Component } from "./catalogue.ts";

export interface Installed {
  readonly paths: Readonly<Record<string, string>>;
}

export async function findInstalled(
  component: Component,
  folders: readonly string[],
  line: (text: string) => void,
): Promise<Installed | undefined> {
  const paths: Record<string, string> = {};
  for (const { name } of component.binaries) {
    const path = await firstExecutable(name, folders);
    if (path === undefined) return undefined;
    const said = await versionOf(path);
    if (!saysVersion(said, component.version)) {
      line(`${component.name}: ${path} is not ${component.version} (it says: ${firstLine(said)}); not used`);
      return undefined;
    }
    paths[name] = path;
  }
  return { paths };
}

async function firstExecutable(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // absent or not ours to run: the next folder may have it
    }
  }
  return undefined;
}

/** What the binary answers to `--version`, or, if it does not know that, to `version`; or why it did not answer. */
export async function versionOf(path: string): Promise<string> {
  const options = { all: true, timeout: 10_000, reject: false, stdin: "ignore" } as const;
  try {
    const asked = await execa(path, ["--version"], options);
    return asked.exitCode === 0 ? asked.all : (await execa(path, ["version"], options)).all;
  } catch (error) {
    return messageOf(error);
  }
}

/** The version must stand alone: 1.15.3-dev-unk is not 1.15.3. */
export function saysVersion(said: string, version: string): boolean {
  const escaped = version.replaceAll(".", "\\.");
  return new RegExp(`(^|[^0-9.])${escaped}($|[^0-9A-Za-z.-])`).test(said);
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0]?.slice(0, 100) ?? "";
}
