// In: the project folder. Out: what the .proto files break against the last released ones. A missing release image is
// a failure too: a check that is not made must not look like one that passed.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CheckStep, commandStep } from "./run-steps.ts";

const image = "proto/released.binpb";
const compare = commandStep("wire compatibility", "buf", ["breaking", "proto", "--against", image]);

export const wireCompatibility: CheckStep = {
  name: compare.name,
  async run(root) {
    if (!existsSync(join(root, image)))
      return `there is no ${image}: make it with  node_modules/.bin/buf build proto -o ${image}`;
    return compare.run(root);
  },
};
