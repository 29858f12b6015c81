// In: what stands under `cilium:`. Out: what nodes with Cilium share, as written, or zod issues. Pure.
import { etcdMemberForm, filePathForm, ipv4RangeForm } from "@weft/shared/model/text-forms";
import { z } from "zod";
import { textOf } from "./text-of.ts";

export const ciliumSchema = z.strictObject({
  etcd: z.strictObject({
    members: z.array(textOf(etcdMemberForm, "An etcd that all these nodes reach.")).min(1),
    ca: textOf(filePathForm, "File of every such node: whose certificate a member must have.").optional(),
    certificate: textOf(filePathForm, "File of every such node: shown to the members.").optional(),
    key: textOf(filePathForm, "File of every such node: of that certificate.").optional(),
  }),
  ranges: textOf(ipv4RangeForm, "What the ranges of all nodes are in, and nothing else."),
});
