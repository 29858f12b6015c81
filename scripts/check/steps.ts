// In: nothing. Out: the checks that need no machine: format and lint, types, layers, dead code, the wire.
import { fileLength } from "./file-length.ts";
import { generatedCode } from "./generated-code.ts";
import { type CheckStep, commandStep } from "./run-steps.ts";
import { wireCompatibility } from "./wire-compatibility.ts";

const typesKept = "node_modules/.cache/weft-types.json";

const layerRules = "scripts/config/depcruise.cjs";
/** Folders whose imports are judged. */
const layeredFolders = ["packages", "scripts", "test", "examples"] as const;

export const checkSteps: readonly CheckStep[] = [
  // what tsc found out is kept: a second run takes a third of the time
  commandStep("types (tsc)", "tsc", ["-p", "tsconfig.json", "--incremental", "--tsBuildInfoFile", typesKept]),
  commandStep("format and lint (biome)", "biome", [
    "check",
    "--config-path=scripts/config",
    "--error-on-warnings",
    ".",
  ]),
  commandStep("layers (dependency-cruiser)", "depcruise", ["--config", layerRules, ...layeredFolders]),
  commandStep("dead code (knip)", "knip", []),
  generatedCode,
  commandStep("wire style (buf lint)", "buf", ["lint", "proto"]),
  wireCompatibility,
  fileLength,
];
