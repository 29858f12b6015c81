// In: what stands under `rollout:`. Out: how a change goes out, as written, or zod issues. Pure.
import { stopCauses } from "@weft/shared/model/mesh";
import { deadlineForm, labelForm, percentForm } from "@weft/shared/model/text-forms";
import { z } from "zod";
import { textOf } from "./text-of.ts";

export const rolloutSchema = z.strictObject({
  canary: z
    .union([z.int().min(1), z.array(textOf(labelForm, "A node.")).min(1)], {
      error: "expected a number of nodes, or a list of node names",
    })
    .optional()
    .meta({ description: "Who gets a change first. Default: 1 node." }),
  wave: z
    .union([z.int().min(1), textOf(percentForm, "Of the nodes a change touches.")], {
      error: "expected a number of nodes, or a percentage such as 25%",
    })
    .optional()
    .meta({ description: "How many get it in each wave after that. Default: 25%." }),
  stopOn: z
    .array(z.enum(stopCauses))
    .min(1)
    .optional()
    .meta({ description: "What stops a rollout and takes it back. Default: reverted and failed." }),
  deadline: textOf(deadlineForm, "For each wave; one that is late stops the rollout.").optional(),
});

export type RawRollout = z.output<typeof rolloutSchema>;
