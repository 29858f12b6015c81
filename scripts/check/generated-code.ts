// In: the project folder. Out: whether the committed generated code is what the .proto files give today.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { CheckStep } from "./run-steps.ts";

const folder = "packages/shared/src/gen";

export const generatedCode: CheckStep = {
  name: "generated code is current",
  async run(root) {
    const fresh = await mkdtemp(join(tmpdir(), "weft-gen-"));
    try {
      const options = { cwd: root, reject: false, all: true, preferLocal: true, localDir: root } as const;
      const made = await execa(
        "buf",
        ["generate", "proto", "--template", "proto/buf.gen.yaml", "--output", fresh],
        options,
      );
      if (made.exitCode !== 0) return made.all;
      const compared = await execa("diff", ["-r", "-q", join(fresh, folder), join(root, folder)], options);
      return compared.exitCode === 0 ? "" : `${compared.all}\nrun: npm run codegen`;
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  },
};
