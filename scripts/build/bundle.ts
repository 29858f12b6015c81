// In: the project folder. Out: one CommonJS file per program in dist/, everything but Node itself inside.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { WeftError } from "@weft/shared/errors/weft-error";
import { build } from "esbuild";

/** Name of the bundle without its ending -> entry point. */
export const programs = {
  weft: "packages/coordinator/src/cli/main.ts",
  "weft-coordinator": "packages/coordinator/src/main.ts",
  "weft-node-agent": "packages/node-agent/src/main.ts",
  "weft-dial": "packages/node-agent/src/dial/main.ts",
} as const;

/** Shown to users and run in the lab, not part of a release. */
export const examples = {
  "examples/web": "examples/node/web.ts",
  "examples/api": "examples/node/api.ts",
} as const;

export async function bundle(root: string, version: string): Promise<void> {
  for (const entry of Object.values(programs))
    if (!existsSync(join(root, entry)))
      throw new WeftError("WEFT-E002", `there is no ${entry}`, {
        why: "a release needs all of its programs",
      });
  const present = Object.fromEntries(
    Object.entries(examples).filter(([, entry]) => existsSync(join(root, entry))),
  );
  await build({
    absWorkingDir: root,
    entryPoints: { ...programs, ...present },
    outdir: "dist",
    outExtension: { ".js": ".cjs" },
    bundle: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "eof",
    define: {
      "import.meta.dirname": "__dirname",
      "import.meta.filename": "__filename",
      __WEFT_VERSION__: JSON.stringify(version),
    },
    logLevel: "warning",
  });
}
