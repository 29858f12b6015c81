// In: what stands under `cilium:`. Out: what nodes with Cilium share, as written, or zod issues. Pure.
import { etcdMemberForm, filePathForm, ipv4RangeForm, labelForm } from "@weft/shared/model/text-forms";
import { z } from "zod";
import { type IssueDetail, textOf } from "./text-of.ts";

const oneEtcd: IssueDetail = {
  allowed: "members: those of an etcd of your own; or nodes: those that run one for the mesh",
  near: undefined,
};

const etcd = z
  .strictObject({
    nodes: z
      .array(textOf(labelForm, "A node that runs a member of the mesh's own etcd."))
      .min(1)
      .optional()
      .meta({
        description:
          "Weft runs an etcd on these nodes: one, three or five. The first one begins. Instead of members.",
      }),
    members: z
      .array(textOf(etcdMemberForm, "An etcd of the operator's, that all these nodes reach."))
      .min(1)
      .optional()
      .meta({ description: "The operator runs an etcd. Instead of nodes." }),
    ca: textOf(filePathForm, "File of every such node: whose certificate a member must have.").optional(),
    certificate: textOf(filePathForm, "File of every such node: shown to the members.").optional(),
    key: textOf(filePathForm, "File of every such node: of that certificate.").optional(),
  })
  .check(({ value, issues }) => {
    const { nodes, members, ...files } = value;
    const say = (path: readonly string[], message: string, params: IssueDetail) =>
      issues.push({ code: "custom", input: value, path: [...path], message, params: { ...params } });
    if (nodes === undefined && members === undefined)
      say([], '"etcd" says neither "members" nor "nodes"', oneEtcd);
    if (nodes === undefined) return;
    if (members !== undefined) say(["nodes"], '"members" and "nodes" are both given', oneEtcd);
    else
      for (const field of Object.keys(files))
        say(
          [field],
          `"${field}" is of no use to an etcd that Weft runs: its nodes have certificates of the mesh`,
          {
            allowed: "nodes alone",
            near: undefined,
          },
        );
  });

export const ciliumSchema = z.strictObject({
  etcd,
  ranges: textOf(ipv4RangeForm, "What the ranges of all nodes are in, and nothing else."),
});
