import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { parseMesh } from "./parse.ts";
import { describeProblem } from "./problem.ts";
import { meshJsonSchema } from "./schema.ts";

const head = "weft: v1\nmesh: shop\ntrustDomain: mesh.internal\n";

function problemsOf(...texts: readonly string[]): string[] {
  const sources = texts.map((text, index) => ({
    name: texts.length === 1 ? "mesh.yaml" : `${index + 1}.yaml`,
    text,
  }));
  return parseMesh(sources).problems.map(describeProblem);
}

function meshOf(rest: string) {
  const { mesh, problems } = parseMesh([{ name: "mesh.yaml", text: head + rest }]);
  expect(problems.map(describeProblem)).toEqual([]);
  return mesh!;
}

describe("a mesh file that is right", () => {
  it("has its defaults filled in", () => {
    const mesh = meshOf("nodes:\n  hub: { address: 10.77.0.10 }\n");
    expect({ ...mesh, nodes: mesh.nodes.length, places: undefined }).toEqual({
      name: "shop",
      trustDomain: "mesh.internal",
      dns: { zone: "mesh.internal", mode: "auto", upstreams: [] },
      guard: { admin: [], ports: [] },
      nodes: 1,
      services: [],
      policies: [],
      defaults: { ingress: "deny", egress: "allow", mode: "enforce", boot: "guards-only" },
      places: undefined,
    });
  });

  it("is read with everything it says, and where", () => {
    const mesh = meshOf(`guard: { admin: [192.0.2.0/28] }
nodes:
  web1: { address: "FD77:0::11", dns: { mode: file } }
services:
  web: { nodes: [web1], user: web, unit: web.service, path: /shop/web, mtls: none, labels: { tier: front },
         ports: { http: 8080/tcp, many: 9000-9010/udp } }
policies:
  - name: p
    from: [web, node:web1, { cidr: "2001:db8::/32" }, { labels: { tier: front } }, { service: web }]
    to: web
    ports: [http, 9001-9002/udp]
    action: deny
    mode: audit
`);
    expect(mesh.guard).toEqual({
      admin: ["192.0.2.0/28"],
      ports: [{ protocol: "tcp", from: 22, to: 22 }],
    });
    expect(mesh.nodes[0]).toMatchObject({
      address: "fd77::11",
      dnsMode: "file",
      place: { file: "mesh.yaml", line: 6, column: 3 },
    });
    expect(mesh.services[0]).toMatchObject({
      spiffeId: "spiffe://mesh.internal/shop/web",
      unit: "web.service",
      mtls: "none",
      ports: [
        { name: "http", range: { protocol: "tcp", from: 8080, to: 8080 } },
        { name: "many", range: { protocol: "udp", from: 9000, to: 9010 } },
      ],
      place: { line: 8, column: 3 },
    });
    const [policy] = mesh.policies;
    expect(policy?.from.map(({ kind }) => kind)).toEqual(["service", "node", "cidr", "labels", "service"]);
    expect(policy).toMatchObject({
      to: [{ kind: "service", name: "web", place: { line: 13, column: 9 } }],
      ports: ["http", { protocol: "udp", from: 9001, to: 9002 }],
      action: "deny",
      mode: "audit",
      place: { line: 11, column: 5 },
    });
  });

  it("may be a directory, in any order", () => {
    const files = [
      { name: "a.yaml", text: `${head}nodes:\n  hub: { address: 10.77.0.10 }\n` },
      { name: "b.yaml", text: "weft: v1\nservices:\n  web: { nodes: [hub], user: web }\n" },
      { name: "c.yaml", text: "weft: v1\npolicies:\n  - { name: p, from: [web], to: web }\n" },
    ];
    const one = parseMesh(files);
    expect(one.problems).toEqual([]);
    expect(one.mesh?.policies[0]?.place).toEqual({ file: "c.yaml", line: 3, column: 5 });
    expect(parseMesh([...files].reverse())).toEqual(one);
  });

  it("may use an anchor now and then", () => {
    const mesh = meshOf(
      "nodes:\n  a: { address: 10.0.0.1, labels: &l { tier: x } }\n  b: { address: 10.0.0.2, labels: *l }\n",
    );
    expect(mesh.nodes[1]?.labels).toEqual({ tier: "x" });
  });
});

describe("a mesh file that is wrong", () => {
  it.each([
    [
      "nothing",
      "",
      ["mesh.yaml:1:1: error: the file is empty; allowed: a mesh file, beginning with: weft: v1"],
    ],
    [
      "a list",
      "- a\n",
      ["mesh.yaml:1:1: error: the file is no map of keys; allowed: a mesh file, beginning with: weft: v1"],
    ],
    [
      "no header",
      "nodes: {}\n",
      [
        'mesh.yaml:1:1: error: "mesh" is missing',
        'mesh.yaml:1:1: error: "trustDomain" is missing',
        'mesh.yaml:1:1: error: "weft" is missing; allowed: weft: v1',
      ],
    ],
    [
      "another version",
      head.replace("v1", "v2"),
      ['mesh.yaml:1:7: error: this program does not know version "v2"; allowed: v1'],
    ],
    [
      "a tab",
      `${head}nodes:\n\thub: { address: 10.0.0.1 }\n`,
      ["mesh.yaml:5:1: error: tabs are not allowed as indentation"],
    ],
    [
      "two documents",
      `${head}---\n${head}`,
      [
        "mesh.yaml:4:1: error: a second document begins here; allowed: one document; use a directory for several files",
      ],
    ],
    [
      "a key given twice",
      `${head}nodes:\n  a: { address: 10.0.0.1 }\n  b: { address: 10.0.0.2 }\n  a: { address: 10.0.0.3 }\n`,
      ['mesh.yaml:7:3: error: "a" is given twice, first on line 5'],
    ],
    [
      "an unknown tag",
      `${head}nodes: !!js/function "x"\n`,
      ["mesh.yaml:4:8: error: unresolved tag: tag:yaml.org,2002:js/function"],
    ],
    [
      "a merge key",
      `${head}nodes:\n  a: &a { address: 10.0.0.1 }\n  b: { <<: *a, address: 10.0.0.2 }\n`,
      ['mesh.yaml:6:8: error: unknown key "<<"; allowed: address, labels, enforcement, range, dns'],
    ],
  ])("%s", (_what, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  it("as a bomb of anchors costs nothing", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let n = 1; n < 30; n++)
      lines.push(`a${n}: &a${n} [${Array.from({ length: 10 }, () => `*a${n - 1}`).join(", ")}]`);
    expect(problemsOf(`${lines.join("\n")}\n`)).toEqual([
      "mesh.yaml:1:1: error: the file uses anchors more than 100 times over",
    ]);
  });

  it("as a pit of brackets is refused, not fallen into", () => {
    expect(problemsOf(head + "[".repeat(200_000))).toHaveLength(1);
  });

  it("is refused when it is too large, and read in time when it is not", () => {
    expect(problemsOf(head + "#".repeat(4 * 1024 * 1024))).toEqual([
      "mesh.yaml:1:1: error: the file is too large; allowed: at most 4 MiB; split it into a directory",
    ]);
    const keys = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1\n`).join("");
    // anything quadratic would take minutes
    expect(problemsOf(head + keys)).toHaveLength(20_000);
  });

  it("in a directory says which file said it first", () => {
    const node = "nodes:\n  hub: { address: 10.77.0.10 }\n";
    expect(problemsOf(head + node, `${head}${node}`)).toEqual([
      '2.yaml:2:1: error: "mesh" is given twice, first in 1.yaml:2',
      '2.yaml:3:1: error: "trustDomain" is given twice, first in 1.yaml:3',
      '2.yaml:5:3: error: node "hub" is given twice, first in 1.yaml:5',
    ]);
  });
});

describe("parseMesh", () => {
  it("never throws, whatever the text", () => {
    const fragment = fc.constantFrom(
      ..."weft: v1|mesh: |nodes:|  a: |{|}|[|]|- |&a |*a |: |\n|? || >|!!str |'|\"|#|,|<<|address|10.0.0.1|services|policies|from|to|\t|null|~|1e9|.nan|---|__proto__: |constructor".split(
        "|",
      ),
    );
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.array(fragment, { maxLength: 60 }).map((parts) => parts.join("")),
      fc.array(fragment, { maxLength: 60 }).map((parts) => head + parts.join("")),
    );
    fc.assert(
      fc.property(text, (source) => {
        const { mesh, problems } = parseMesh([{ name: "mesh.yaml", text: source }]);
        expect(mesh !== undefined || problems.length > 0).toBe(true);
        for (const { place } of problems) expect(place.line >= 1 && place.column >= 1).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it("never throws on data of any shape under the keys it knows", () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    const entry = fc.dictionary(
      fc.constantFrom("a", "b", "web", "address", "nodes", "user", "ports", "name", "from", "to"),
      value,
    );
    const file = fc.record({
      nodes: entry,
      services: entry,
      policies: fc.array(fc.oneof(entry, value)),
      dns: value,
      guard: value,
      defaults: value,
    });
    fc.assert(
      fc.property(file, (data) => {
        const text = `${head}${Object.entries(data)
          .map(([key, part]) => `${key}: ${JSON.stringify(part)}\n`)
          .join("")}`;
        expect(() => parseMesh([{ name: "mesh.yaml", text }])).not.toThrow();
      }),
      { numRuns: 150 },
    );
  });
});

describe("the JSON Schema", () => {
  it("names every section and refuses what is not known", () => {
    const schema = meshJsonSchema();
    expect(Object.keys(schema["properties"] as object)).toEqual(
      expect.arrayContaining([
        "weft",
        "mesh",
        "trustDomain",
        "dns",
        "guard",
        "nodes",
        "services",
        "policies",
        "defaults",
      ]),
    );
    expect(schema["additionalProperties"]).toBe(false);
    expect(schema["required"]).toEqual(["weft", "mesh", "trustDomain", "nodes"]);
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
  });
});
