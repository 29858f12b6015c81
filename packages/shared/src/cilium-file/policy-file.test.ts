// What an agent must never be given: each of these is refused, and files of Weft's own are not.
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { renderCiliumPolicy } from "../render/cilium-policy.ts";
import { refusalsOf } from "./policy-file.ts";
import "../../../../test/support/property-seed.ts";

const origin = { policy: "web-to-api", file: "mesh.yaml", line: 7 };
const both = { because: "", origin };
const file = renderCiliumPolicy({
  mesh: "demo",
  node: "api1",
  service: "api",
  spiffeId: "spiffe://mesh.internal/api",
  rules: [
    {
      direction: "ingress",
      action: "allow",
      peer: { kind: "service", service: "web", spiffeId: "spiffe://mesh.internal/web" },
      ports: [
        { protocol: "tcp", from: 8080, to: 8080 },
        { protocol: "tcp", from: 9000, to: 9010 },
      ],
      ...both,
    },
    { direction: "ingress", action: "allow", peer: { kind: "host" }, ports: undefined, ...both },
    {
      direction: "ingress",
      action: "deny",
      peer: { kind: "node", node: "hub", address: "10.77.0.10" },
      ports: [{ protocol: "udp", from: 53, to: 53 }],
      ...both,
    },
    {
      direction: "egress",
      action: "allow",
      peer: { kind: "range", cidr: "10.0.0.0/8", except: ["10.77.0.12"] },
      ports: undefined,
      ...both,
    },
    {
      direction: "egress",
      action: "deny",
      peer: { kind: "range", cidr: "fd77::/64", except: [] },
      ports: undefined,
      ...both,
    },
  ],
});

type Json = Record<string, unknown>;
const data = (): Json => JSON.parse(file.text) as Json;
const textOf = (value: unknown) => JSON.stringify(value);
const refused = (value: unknown) => refusalsOf({ name: file.name, text: textOf(value) });

/** The file with something else at a path. */
function edited(path: string, value: unknown): Json {
  const copy = data();
  const keys = path.split("/");
  const last = keys.pop() ?? "";
  let part: unknown = copy;
  for (const key of keys) part = (part as Json)[key];
  (part as Json)[last] = value;
  return copy;
}

const web = "specs/1/ingress/0/fromEndpoints/0";
const port = "specs/1/ingress/0/toPorts/0/ports/0";
const range = "specs/1/egress/0/toCIDRSet/0";

it("is refused with a directive, or a character that YAML does not take", () => {
  for (const text of [
    `%YAML 1.2\n---\n${file.text}`,
    file.text.replace("policy", "policy\u007f"),
    file.text.replace("policy", "policy\uffff"),
    file.text.replace("policy", "policy\u2028--- "),
    file.text.replace("policy", "policy\\ud83d"),
  ])
    expect(refusalsOf({ ...file, text }).join()).toMatch(/agent cannot read/);
  const odd = renderCiliumPolicy({
    mesh: "demo",
    node: "api1",
    service: "api",
    spiffeId: "spiffe://mesh.internal/api\u0085\u2028--- \uffff\\ud83d",
    rules: [],
  });
  expect(refusalsOf(odd)).toEqual([]);
});

it("is taken as it is rendered", () => {
  expect(refusalsOf(file)).toEqual([]);
  expect(data()).toMatchObject({ metadata: { name: "weft-api", namespace: "weft-demo" } });
});

describe("refused", () => {
  it.each([
    ["a field that an agent would ignore", "specs/1/ingresss", []],
    ["deep inside, too", `${web}/matchlabels`, {}],
    ["L7", "specs/1/ingress/0/toPorts/0/rules", { http: [] }],
    ["a SPIFFE ID as a value", `${web}/matchLabels/spiffe:id`, "spiffe://mesh.internal/web"],
    ["a value of 64 characters", `${web}/matchLabels/spiffe:id`, "a".repeat(64)],
    ["a key of no label", `${web}/matchLabels/spiffe:id_`, "a"],
    ["a URI as a key", `${web}/matchLabels`, { "spiffe:spiffe://mesh.internal/web": "a" }],
    ["a peer of no labels: everybody", "specs/1/ingress/0/fromEndpoints/0", {}],
    ["an empty expression list", "specs/1/endpointSelector", { matchExpressions: [] }],
    ["In without values", "specs/1/endpointSelector", { matchExpressions: [{ key: "a", operator: "In" }] }],
    ["no peer listed", "specs/1/ingress/0/fromEndpoints", []],
    ["ports of everybody", "specs/1/ingress/0/fromEndpoints", undefined],
    ["two kinds of peers", "specs/1/ingress/0/fromEntities", ["host"]],
    ["an entity nobody knows", "specs/1/ingress/1/fromEntities", ["hosts"]],
    ["a denial of nothing", "specs/1/egressDeny/0", {}],
    ["a port as a number", `${port}/port`, 8080],
    ["port 0", `${port}/port`, "0"],
    ["port 65536", `${port}/port`, "65536"],
    ["a port by name", `${port}/port`, "http"],
    ["an octal port", `${port}/port`, "010"],
    ["an end as text", `${port}/endPort`, "8081"],
    ["an end before the beginning", `${port}/endPort`, 8079],
    ["an end too high", `${port}/endPort`, 65_536],
    ["a protocol in small letters", `${port}/protocol`, "tcp"],
    ["ICMP as a protocol", `${port}/protocol`, "ICMP"],
    ["no protocol", `${port}/protocol`, undefined],
    ["no ports", "specs/1/ingress/0/toPorts/0/ports", []],
    ["41 ports", "specs/1/ingress/0/toPorts/0/ports", Array(41).fill({ port: "1", protocol: "TCP" })],
    ["ICMP beside ports", "specs/1/ingress/0/icmps", [{ fields: [{ family: "IPv4", type: 8 }] }]],
    ["an ICMP family nobody knows", "specs/1/ingress/1/icmps", [{ fields: [{ family: "v4", type: 8 }] }]],
    ["an ICMP type too high", "specs/1/ingress/1/icmps", [{ fields: [{ family: "IPv4", type: 256 }] }]],
    ["host bits", `${range}/cidr`, "10.0.0.1/8"],
    ["an address without a length", `${range}/cidr`, "10.0.0.0"],
    ["another spelling", `${range}/cidr`, "fd77:0::/64"],
    ["the whole of a family", `${range}/cidr`, "0.0.0.0/0"],
    ["the other one", `${range}`, { cidr: "::/0" }],
    ["an exception outside", `${range}/except`, ["11.0.0.0/8"]],
    ["an exception of the other family", `${range}/except`, ["fd77::/64"]],
    ["two selectors", "specs/1/nodeSelector", { matchLabels: { "reserved:host": "" } }],
    ["no selector", "specs/1/endpointSelector", undefined],
    ["spec and specs", "spec", { endpointSelector: { matchLabels: { a: "b" } }, ingress: [{}] }],
    ["no rule", "specs", []],
    ["no direction", "specs/0", { endpointSelector: { matchLabels: { a: "b" } } }],
    ["no name", "metadata/name", undefined],
    ["an upper-case name", "metadata/name", "Api"],
    ["a namespace that is none", "metadata/namespace", "a.b"],
    ["null", "specs/1/description", null],
    ["a number as text", "specs/1/description", 7],
  ])("%s", (_what, path, value) => {
    expect(refused(edited(path, value))).not.toEqual([]);
  });

  it("a node's policy in a namespace; without one it is taken", () => {
    const rule = { nodeSelector: { matchLabels: { "reserved:host": "" } }, ingress: [{}] };
    const kind = "CiliumClusterwideNetworkPolicy";
    const whole = { apiVersion: "cilium.io/v2", kind, metadata: { name: "host" }, spec: rule };
    expect(refused(whole)).toEqual([]);
    expect(refused({ ...whole, metadata: { name: "host", namespace: "weft-demo" } })).not.toEqual([]);
    const named = {
      ...whole,
      kind: "CiliumNetworkPolicy",
      metadata: { name: "host", namespace: "weft-demo" },
    };
    expect(refused(named).join()).toContain("nodeSelector");
  });

  it.each([
    ["another ending", "weft-api.yml", file.text],
    ["an upper-case name", "Weft-api.yaml", file.text],
    ["an underscore", "weft_api.yaml", file.text],
    ["two documents", file.name, `${file.text}---\n${file.text}`],
    ["nothing", file.name, ""],
    ["no YAML", file.name, "a: [b"],
    ["a key given twice", file.name, file.text.replace("{", '{ "kind": "CiliumNetworkPolicy",')],
    ["what YAML 1.1 reads otherwise", file.name, file.text.replace('"weft-api"', "no")],
    ["more than 4 MiB", file.name, `${file.text}${" ".repeat(4 * 1024 * 1024)}`],
  ])("for its name or text: %s", (_what, name, text) => {
    expect(refusalsOf({ name, text })).not.toEqual([]);
  });
});

/** Every place in a file, but the labels of a selector: there any key may stand. */
function placesOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null || path.at(-1) === "matchLabels") return [path];
  return [path, ...Object.entries(value).flatMap(([key, part]) => placesOf(part, [...path, key]))];
}

const wrongs: readonly ((value: unknown) => unknown)[] = [
  (value) => (typeof value === "string" ? 7 : "7"),
  () => null,
  () => [],
  (value) => (Array.isArray(value) ? { ...value } : [value]),
  (value) =>
    typeof value === "object" && !Array.isArray(value) ? { ...value, unknown: "a:b" } : { unknown: value },
  (value) => (Array.isArray(value) ? [...(value as unknown[]), {}] : { "a b": "c" }),
];

it("whatever is changed for the worse anywhere, it is refused", () => {
  const places = placesOf(data()).filter((path) => path.length > 0);
  // a rule of nothing lets nothing pass, and so one more of them is no harm
  const harmless = new Set(["specs/0/ingress", "specs/0/egress", "specs/1/ingress", "specs/1/egress"]);
  fc.assert(
    fc.property(fc.constantFrom(...places), fc.constantFrom(...wrongs), (path, wrong) => {
      const where = path.join("/");
      fc.pre(!(wrong === wrongs[5] && harmless.has(where)));
      let old: unknown = data();
      for (const key of path) old = (old as Json)[key];
      const value = wrong(old);
      expect({ where, value, refused: refused(edited(where, value)).length > 0 }).toEqual({
        where,
        value,
        refused: true,
      });
    }),
    { numRuns: process.env["WEFT_LONG"] === "1" ? 20_000 : 2_000 },
  );
});
