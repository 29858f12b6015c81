// In: nothing. Out: the checks that need no machine: format and lint, types, layers, dead code, the wire.
import { fileLength } from "./file-length.ts";
import { generatedCode } from "./generated-code.ts";
import { type CheckStep, commandStep } from "./run-steps.ts";
import { wireCompatibility } from "./wire-compatibility.ts";

export const layerRules = "scripts/config/depcruise.cjs";
/** Folders whose imports are judged; absent ones are left out by the caller. */
export const layeredFolders = ["packages", "scripts", "test", "examples"] as const;

export const checkSteps: readonly CheckStep[] = [
  commandStep("types (tsc)", "tsc", ["-p", "tsconfig.json"]),
  commandStep("format and lint (biome)", "biome", ["check", "--config-path=scripts/config", "--error-on-warnings", "."]),
  commandStep("layers (dependency-cruiser)", "depcruise", ["--config", layerRules, ...layeredFolders]),
  commandStep("dead code (knip)", "knip", []),
  generatedCode,
  commandStep("wire style (buf lint)", "buf", ["lint", "proto"]),
  wireCompatibility,
  fileLength,
];
