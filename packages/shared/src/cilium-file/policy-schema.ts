// In: plain data out of a policy file. Out: it has passed, or zod issues. Pure. What Cilium 1.18 takes in a CiliumNetworkPolicy
// (pkg/policy/api), and less: a field unknown here is refused, where an agent ignores it and applies the rest; so is what the
// options of these agents turn off (L7, FQDNs, groups, Kubernetes services, node labels), and every way to say "all" by saying
// nothing: a selector, a list of peers or of ports that is empty, and ports without a peer.

import { z } from "zod";
import { covers, formatCidr, parseCidr } from "../model/address.ts";
import { isDnsSubdomain, selectorSchema } from "./label-selector.ts";

const mostPorts = 40;
const entities = [
  "all",
  "world",
  "world-ipv4",
  "world-ipv6",
  "cluster",
  "host",
  "init",
  "ingress",
  "unmanaged",
  "remote-node",
  "health",
  "none",
  "kube-apiserver",
] as const;

/**
 * In its one spelling: no host bits, and with the length, which some fields need. Not the whole of a family: for an agent that
 * has one family alone it is the world of both, IPv4 under ::/0, too (1.18.10, pkg/policy/api/cidr.go).
 */
function isCidr(text: string): boolean {
  const cidr = parseCidr(text);
  if (cidr === undefined || cidr.bits === 0 || !text.includes("/")) return false;
  const spelling = formatCidr(cidr);
  return text === (spelling.includes("/") ? spelling : `${spelling}/${cidr.bits}`);
}

const listOf = <T extends z.ZodType>(item: T) => z.array(item).min(1);
const cidr = z.string().refine(isCidr, "is no range in the form 192.0.2.0/24, shorter than a whole family");
const cidrSet = z
  .strictObject({ cidr, except: listOf(cidr).optional() })
  .refine(
    ({ cidr: whole, except = [] }) => except.every((part) => covers(whole, part)),
    "has an exception outside of its range",
  );

const port = z
  .strictObject({
    port: z.string().regex(/^[1-9][0-9]{0,4}$/),
    endPort: z.int().max(65_535).optional(),
    protocol: z.enum(["TCP", "UDP", "SCTP", "ANY"]),
  })
  .refine(({ port: from }) => Number(from) <= 65_535, "is no port: 1 to 65535")
  .refine(
    ({ port: from, endPort }) => endPort === undefined || endPort >= Number(from),
    "ends before it begins",
  );
const toPorts = listOf(z.strictObject({ ports: listOf(port).max(mostPorts) }));

const icmpField = z.strictObject({
  family: z.enum(["IPv4", "IPv6"]),
  type: z.int().min(0).max(255),
});
const icmps = listOf(z.strictObject({ fields: listOf(icmpField).max(mostPorts) }));

const reach = { toPorts: toPorts.optional(), icmps: icmps.optional() };
const peersOf = <D extends "from" | "to">(direction: D) => ({
  [`${direction}Endpoints`]: listOf(selectorSchema).optional(),
  [`${direction}CIDR`]: listOf(cidr).optional(),
  [`${direction}CIDRSet`]: listOf(cidrSet).optional(),
  [`${direction}Entities`]: listOf(z.enum(entities)).optional(),
});

function peerCount(rule: object): number {
  return Object.keys(rule).filter((key) => !Object.hasOwn(reach, key)).length;
}

function rulesOf(direction: "from" | "to", action: "allow" | "deny") {
  return listOf(
    z
      .strictObject({ ...peersOf(direction), ...reach })
      .refine((rule) => !("toPorts" in rule && "icmps" in rule), "has both toPorts and icmps")
      .refine(
        (rule) => peerCount(rule) === 1 || (action === "allow" && Object.keys(rule).length === 0),
        action === "allow"
          ? "needs peers of one kind, or nothing at all, which lets nothing pass"
          : "needs peers of one kind",
      ),
  );
}

const ruleSchema = z
  .strictObject({
    endpointSelector: selectorSchema.optional(),
    nodeSelector: selectorSchema.optional(),
    description: z.string().optional(),
    enableDefaultDeny: z
      .strictObject({ ingress: z.boolean().optional(), egress: z.boolean().optional() })
      .optional(),
    ingress: rulesOf("from", "allow").optional(),
    ingressDeny: rulesOf("from", "deny").optional(),
    egress: rulesOf("to", "allow").optional(),
    egressDeny: rulesOf("to", "deny").optional(),
  })
  .refine(
    ({ endpointSelector, nodeSelector }) => (endpointSelector === undefined) !== (nodeSelector === undefined),
    "needs one of endpointSelector and nodeSelector",
  )
  .refine(
    ({ ingress, ingressDeny, egress, egressDeny }) =>
      [ingress, ingressDeny, egress, egressDeny].some((section) => section !== undefined),
    "says nothing about either direction",
  );

const dnsSubdomain = z.string().refine(isDnsSubdomain, "is no DNS-1123 subdomain");

export const policySchema = z
  .strictObject({
    apiVersion: z.literal("cilium.io/v2"),
    kind: z.enum(["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"]),
    metadata: z.strictObject({
      name: dnsSubdomain,
      namespace: z
        .string()
        .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
        .optional(),
    }),
    spec: ruleSchema.optional(),
    specs: listOf(ruleSchema).optional(),
  })
  .refine(({ spec, specs }) => (spec === undefined) !== (specs === undefined), "needs one of spec and specs")
  .refine(
    ({ metadata, spec, specs = [] }) =>
      metadata.namespace === undefined ||
      [...specs, ...(spec === undefined ? [] : [spec])].every(
        ({ nodeSelector }) => nodeSelector === undefined,
      ),
    "has a namespace and a nodeSelector",
  )
  .refine(
    // what it is, an agent takes from the namespace alone
    ({ kind, metadata }) => (kind === "CiliumNetworkPolicy") === (metadata.namespace !== undefined),
    "is of a kind that its namespace does not fit",
  );
