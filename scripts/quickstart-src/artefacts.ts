// In: a checkout. Out: the built archives and demo services that go onto the machines.
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { WeftError } from "@weft/shared/errors/weft-error";
import { execa } from "execa";
import type { Artefacts } from "./world.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Supplies the components and builds; both are quick when nothing has changed. */
export async function prepareArtefacts(say: (line: string) => void): Promise<Artefacts> {
  for (const [what, argv] of [
    ["components", ["scripts/components"]],
    ["build", ["scripts/node", "scripts/build/main.ts"]],
  ] as const) {
    const [file, ...args] = argv;
    const result = await execa(`${root}${file}`, args, { cwd: root, stdio: "inherit", reject: false });
    if (result.failed)
      throw new WeftError("WEFT-E004", `the ${what} step failed`, { why: "its own message is above" });
    say(`${what}: ready`);
  }
  return findArtefacts();
}

export function findArtefacts(): Artefacts {
  const dist = `${root}dist`;
  const names = existsSync(dist) ? readdirSync(dist) : [];
  const find = (pattern: RegExp): string => {
    const found = names
      .filter((name) => pattern.test(name))
      .sort()
      .at(-1);
    if (found === undefined)
      throw new WeftError("WEFT-E002", `nothing in dist matches ${pattern}`, { hint: "npm run build" });
    return `${dist}/${found}`;
  };
  return {
    weft: find(/^weft-\d.*\.tar\.gz$/),
    components: find(/^weft-components-.*\.tar$/),
    web: `${dist}/examples/web.cjs`,
    api: `${dist}/examples/api.cjs`,
  };
}
