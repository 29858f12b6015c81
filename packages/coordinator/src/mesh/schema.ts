// In: plain data out of a mesh file, entry by entry. Out: typed entries, or zod issues. Pure.
// What a field may hold is said once, here; meshJsonSchema() prints the same for editors and the CLI.
import { isLabel } from "@weft/shared/model/ids";
import {
  addressForm,
  cidrForm,
  icmpPort,
  ipv4RangeForm,
  labelForm,
  labelTextForm,
  portForm,
  portNameForm,
  type TextForm,
  unitForm,
  userForm,
} from "@weft/shared/model/text-forms";
import { parseDomainName } from "@weft/shared/render/domain-name";
import { parseSpiffeId, parseTrustDomain } from "@weft/shared/spiffe/spiffe-id";
import { z } from "zod";
import { ciliumSchema } from "./cilium-schema.ts";
import { rolloutSchema } from "./rollout-schema.ts";
import { textOf } from "./text-of.ts";

/** A parser that throws, as a form. */
function formOf<T>(form: Omit<TextForm<T>, "parse">, parse: (text: string) => T): TextForm<T> {
  return {
    ...form,
    parse(text) {
      try {
        return parse(text);
      } catch {
        return undefined; // the form itself says what is allowed
      }
    },
  };
}

const trustDomainForm = formOf(
  {
    what: "trust domain",
    allowed: "a bare name of a-z, 0-9, '.', '-' and '_', such as mesh.internal",
    pattern: "^[a-z0-9._-]{1,255}$",
    near: (text) => /^(?:spiffe:\/\/)?([A-Za-z0-9._-]+)\/?$/.exec(text)?.[1]?.toLowerCase(),
  },
  parseTrustDomain,
);
const zoneForm = formOf(
  {
    what: "DNS zone",
    allowed: "a domain name of two or more labels, such as mesh.internal",
    pattern: "^[a-z0-9.-]{1,253}$",
    near: (text) => /^([A-Za-z0-9.-]+?)\.?$/.exec(text)?.[1]?.toLowerCase(),
  },
  parseDomainName,
);
const pathForm = formOf(
  {
    what: "SPIFFE path",
    allowed: "segments of letters, digits, '.', '-' and '_', each after a slash, such as /shop/api",
    pattern: "^(/[A-Za-z0-9._-]+)+$",
  },
  (text) => {
    if (!text.startsWith("/")) throw new TypeError("no slash");
    return parseSpiffeId(`spiffe://trust-domain${text}`).path;
  },
);

const labels = z
  .record(z.string().regex(new RegExp(labelTextForm.pattern)), textOf(labelTextForm, "Value of the label."))
  .meta({ description: "Labels, for selectors." });
const dnsMode = z.enum(["auto", "resolved-link", "file", "off"]);
const mode = z
  .enum(["enforce", "audit"])
  .meta({ description: "audit: count what would be refused, and let it pass." });

export const dnsSchema = z.strictObject({
  zone: textOf(zoneForm, "Zone of all names; never .local.").optional(),
  mode: dnsMode.optional().meta({ description: "How the host's resolver is taken over." }),
  upstreams: z
    .array(textOf(addressForm, "A DNS server for names outside the zone."))
    .optional()
    .meta({ description: "Default: what each node had." }),
});

export const guardSchema = z.strictObject({
  admin: z
    .array(textOf(cidrForm, "Where administrators come from; never the nodes' own network."))
    .optional(),
  ports: z.array(textOf(portForm, "A port administrators need.")).optional(),
});

export const defaultsSchema = z.strictObject({
  ingress: z.enum(["deny"]).optional(),
  egress: z
    .enum(["allow", "deny"])
    .optional()
    .meta({ description: "What services may open outside the mesh when no policy says." }),
  mode: mode.optional(),
  boot: z
    .enum(["guards-only", "open"])
    .optional()
    .meta({ description: "What holds after boot when no confirmed rules can be read." }),
});

export const nodeSchema = z.strictObject({
  address: textOf(addressForm, "The node's address in the mesh."),
  labels: labels.optional(),
  enforcement: z.enum(["auto", "nftables", "cilium"]).optional(),
  range: textOf(
    ipv4RangeForm,
    "Addresses of the endpoints there; with enforcement: cilium alone.",
  ).optional(),
  dns: z.strictObject({ mode: dnsMode }).optional(),
});

export const serviceSchema = z.strictObject({
  nodes: z.array(textOf(labelForm, "A node that runs the service.")).min(1),
  user: textOf(userForm, "The user the service runs as; it stands for this service alone on its node."),
  unit: textOf(unitForm, "Bind the identity to this unit, too.").optional(),
  ports: z
    .record(z.string(), textOf(portForm, "Port or range."))
    .optional()
    .meta({ description: "Ports by name. A declared port accepts only what a policy allows." }),
  mtls: z.enum(["app", "none"]).optional(),
  path: textOf(pathForm, "Path of the SPIFFE ID; default: /SERVICE.").optional(),
  labels: labels.optional(),
});

const selectorTextForm: TextForm<{ readonly node?: string; readonly service?: string }> = {
  what: "service name",
  allowed: "a service name, node:NAME, { service }, { node }, { labels } or { cidr }",
  pattern: "^(node:)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
  parse(text) {
    const node = /^node:(.*)$/.exec(text)?.[1];
    if (node !== undefined) return isLabel(node) ? { node } : undefined;
    return isLabel(text) ? { service: text } : undefined;
  },
  near: (text) => (cidrForm.parse(text) !== undefined ? `{ cidr: ${text} }` : labelForm.near?.(text)),
};

const exactlyOne = (value: object) =>
  Object.values(value).filter((part: unknown) => part !== undefined).length === 1;

const selector = z.union([
  textOf(selectorTextForm, "A service by name, or a node as node:NAME."),
  z
    .strictObject({
      service: textOf(labelForm, "A service by name.").optional(),
      node: textOf(labelForm, "A node by name: any process of it.").optional(),
      cidr: textOf(cidrForm, "Addresses outside the mesh.").optional(),
      labels: labels.optional().meta({ description: "Services whose own labels include all of these." }),
    })
    .refine(exactlyOne, {
      error: "a selector holds exactly one of service, node, cidr and labels",
    }),
]);

const policyPortForm: TextForm<string | ReturnType<typeof portForm.parse>> = {
  what: "port",
  allowed: "a port name of the service, a port or range such as 8080/tcp or 8000-8010/tcp, or icmp",
  pattern: "^[a-z0-9-]+(/(tcp|udp))?$",
  parse: (text) => (text.includes("/") ? portForm.parse(text) : portNameForm.parse(text)),
  near: (text) => portForm.near?.(text),
};

export const policySchema = z.strictObject({
  name: textOf(labelForm, "Name of the policy, unique in the mesh."),
  from: z.array(selector).min(1),
  to: z.union([selector, z.array(selector).min(1)]),
  ports: z
    .array(textOf(policyPortForm, "A port name, port or range; icmp: ping."))
    .min(1)
    .optional()
    .meta({ description: "Default: every declared port of the service; every port where `to` is a CIDR." }),
  action: z.enum(["allow", "deny"]).optional().meta({ description: "deny wins over allow." }),
  mode: mode.optional(),
});

const openPortForm: TextForm<typeof icmpPort | NonNullable<ReturnType<typeof portForm.parse>>> = {
  what: "port",
  allowed: `${portForm.allowed}; or icmp`,
  pattern: `^icmp$|${portForm.pattern}`,
  parse: (text) => (text === icmpPort ? icmpPort : portForm.parse(text)),
  near: (text) => portForm.near?.(text),
};

const anybodyForm: TextForm<{ readonly any?: true; readonly node?: string }> = {
  what: "source",
  allowed: "any, node:NAME, { node } or { cidr }",
  pattern: "^(any|node:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$",
  parse(text) {
    if (text === "any") return { any: true };
    const node = /^node:(.*)$/.exec(text)?.[1];
    return node !== undefined && isLabel(node) ? { node } : undefined;
  },
  near: (text) => (cidrForm.parse(text) !== undefined ? `{ cidr: ${text} }` : undefined),
};

const baselineSource = z.union([
  textOf(anybodyForm, "any: every address; or a node as node:NAME."),
  z
    .strictObject({
      node: textOf(labelForm, "A node by name: any process of it.").optional(),
      cidr: textOf(cidrForm, "Addresses outside the mesh.").optional(),
    })
    .refine(exactlyOne, { error: "a source holds exactly one of node and cidr" }),
]);

const baselineEntry = z.strictObject({
  nodes: z
    .array(
      z.union([
        textOf(labelForm, "A node by name."),
        z.strictObject({
          labels: labels.meta({ description: "Nodes whose own labels include all of these." }),
        }),
      ]),
    )
    .min(1)
    .optional()
    .meta({ description: "Which nodes this is about; default: every node." }),
  inbound: z.enum(["deny"]).optional().meta({
    description: "deny: ports no service declares, and ping, are closed to all who are not allowed.",
  }),
  mode: mode.optional(),
  allow: z
    .array(
      z.strictObject({
        from: z.array(baselineSource).min(1),
        ports: z.array(textOf(openPortForm, "Port, range, or icmp.")).min(1),
      }),
    )
    .optional(),
});

export const baselineSchema = z
  .union([baselineEntry, z.array(baselineEntry)])
  .meta({ description: "What holds for ports no service declares. Entries add up." });

export type RawBaseline = z.output<typeof baselineEntry>;

export const fileSchema = z.strictObject({
  weft: z.literal("v1").meta({ description: "Version of this format." }),
  mesh: textOf(labelForm, "Name of the mesh."),
  trustDomain: textOf(trustDomainForm, "SPIFFE trust domain."),
  dns: dnsSchema.optional(),
  guard: guardSchema.optional().meta({ description: "Flows no change may cut." }),
  nodes: z.record(z.string().regex(new RegExp(labelForm.pattern)), nodeSchema),
  services: z.record(z.string().regex(new RegExp(labelForm.pattern)), serviceSchema).optional(),
  policies: z.array(policySchema).optional(),
  baseline: baselineSchema.optional(),
  defaults: defaultsSchema.optional(),
  rollout: rolloutSchema
    .optional()
    .meta({ description: "A change goes to canaries first, then in waves. Default: everywhere at once." }),
  cilium: ciliumSchema.optional().meta({ description: "What nodes with enforcement: cilium share." }),
});

export type RawSelector = z.output<typeof selector>;
export type RawPolicy = z.output<typeof policySchema>;

/** JSON Schema (2020-12) of a mesh file in one piece. */
export function meshJsonSchema(): Record<string, unknown> {
  return { title: "Weft mesh file, weft/v1", ...z.toJSONSchema(fileSchema, { io: "input" }) };
}
