// In: what a suite needs. Out: it is there, or the reason why the suite cannot run here.
import { join } from "node:path";
import { WeftError } from "@weft/shared/errors/weft-error";
import { execa } from "execa";
import type { Need } from "./suites.ts";

const commands = {
  components: ["scripts/components"],
  build: ["scripts/node", "scripts/build/main.ts"],
} as const;

/** @returns why the suite is skipped, or nothing. What should work and does not is an error, never a skip. */
export async function prepare(
  root: string,
  needs: readonly Need[],
  done: Set<Need>,
): Promise<string | undefined> {
  for (const need of needs) {
    if (need === "root") {
      if (process.getuid?.() !== 0) return "it boots machines, and that needs root";
      continue;
    }
    if (done.has(need)) continue;
    const [file, ...args] = commands[need];
    const result = await execa(join(root, file), args, {
      cwd: root,
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
      reject: false,
    });
    if (result.exitCode !== 0)
      throw new WeftError("WEFT-E004", `${[file, ...args].join(" ")} failed`, {
        why: "its own message is above",
      });
    done.add(need);
  }
  return undefined;
}
