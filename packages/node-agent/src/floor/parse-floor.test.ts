import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { parseFloor } from "./parse-floor.ts";

const whole = `weft-floor: v1
nodes: [10.77.0.0/24]
users: [web, api]
units:
  - web.service
ingress:
  never:
    - 22/tcp
    - 5432/tcp
  judged: [8080/tcp]
  from: [10.77.0.0/24]
egress: { never: [169.254.169.254], to: [10.77.0.0/24], default: deny }
forward: { from: [172.17.0.0/16] }
dns: { zones: [mesh.internal], upstreams: [192.0.2.53], takeOver: never }
guard:
  admin: [192.0.2.0/28]
  ports: [22/tcp]
  atMost: { admin: [192.0.2.0/24], ports: [22/tcp] }
coordinator: { addresses: [10.77.0.2], here: [7443-7444/tcp] }
mode: enforce
boot: guards-only
`;

describe("a floor file", () => {
  it("is read whole, every part with its line", () => {
    const { floor, problems } = parseFloor("floor.yaml", whole);
    expect(problems).toEqual([]);
    expect(floor).toMatchObject({
      nodes: { line: 2, items: [{ value: "10.77.0.0/24", line: 2 }] },
      units: { line: 4, items: [{ value: "web.service", line: 5 }] },
      ingress: {
        never: {
          line: 7,
          items: [
            { value: { protocol: "tcp", from: 22, to: 22 }, line: 8 },
            { value: { protocol: "tcp", from: 5432, to: 5432 }, line: 9 },
          ],
        },
        from: { line: 11 },
      },
      egress: { deny: { line: 12 } },
      dns: { leaveAlone: { line: 14 } },
      guard: { atMostAdmin: { line: 18 } },
      coordinator: { here: { items: [{ value: { from: 7443, to: 7444 } }] } },
      enforce: { line: 20 },
      guardsOnlyBoot: { line: 21 },
    });
  });

  it("bounds nothing where it says nothing, and allows nothing where it lists nothing", () => {
    expect(parseFloor("floor.yaml", "weft-floor: v1\n").floor).toMatchObject({
      users: undefined,
      enforce: undefined,
      ingress: { never: undefined },
    });
    expect(parseFloor("floor.yaml", "weft-floor: v1\nusers: []\n").floor?.users?.items).toEqual([]);
  });

  it.each([
    ["nothing", "", "floor.yaml:1:1: the file is empty; allowed: a floor, beginning with: weft-floor: v1"],
    ["no version", "mode: enforce\n", "floor.yaml:1:1: the file does not say which form it has"],
    ["another version", "weft-floor: v2\n", 'floor.yaml:1:1: weft-floor is "v2"; allowed: v1'],
    [
      "an unknown key",
      "weft-floor: v1\ningress:\n  nevr: [22/tcp]\n",
      'floor.yaml:3:3: unknown key "nevr"; allowed: never, judged, undeclared, from; did you mean "never"?',
    ],
    [
      "a port without its protocol",
      "weft-floor: v1\ningress: { never: [22] }\n",
      'floor.yaml:2:20: "22" is no port',
    ],
    ["a range with host bits", "weft-floor: v1\nnodes: [10.77.0.1/24]\n", 'did you mean "10.77.0.0/24"?'],
    ["a text for a list", "weft-floor: v1\nusers: web\n", "floor.yaml:2:1: users is no list"],
    ["a key without a value", "weft-floor: v1\nusers:\n", "floor.yaml:2:1: users is no list"],
    ["a list for a map", "weft-floor: v1\ndns: [a.b]\n", "floor.yaml:2:1: dns is no map"],
    ["a mode that bounds nothing", "weft-floor: v1\nmode: audit\n", 'mode is "audit"; allowed: enforce'],
    ["a key twice", "weft-floor: v1\nmode: enforce\nmode: enforce\n", "floor.yaml:3:1"],
    ["an anchor", "weft-floor: v1\nusers: &a [web]\nunits: []\n", "anchors, aliases and tags"],
    ["a tag", "weft-floor: v1\nusers: !x [web]\n", "floor.yaml:2"],
    ["half a guard", "weft-floor: v1\nguard: { ports: [22/tcp] }\n", "belong together"],
    ["two documents", "weft-floor: v1\n---\nweft-floor: v1\n", "floor.yaml:"],
    ["no YAML", "weft-floor: [v1\n", "floor.yaml:"],
    ["a top-level domain", "weft-floor: v1\ndns: { zones: [com] }\n", '"com" is no zone'],
  ])("with %s is refused whole", (_what, text, words) => {
    const { floor, problems } = parseFloor("floor.yaml", text);
    expect(floor).toBeUndefined();
    expect(problems.join("\n")).toContain(words);
  });

  it("never throws, and is a floor or problems, whatever the text", () => {
    const spoilt = fc
      .tuple(fc.nat(whole.length), fc.nat(12), fc.string({ maxLength: 8, unit: "binary" }))
      .map(([at, length, text]) => whole.slice(0, at) + text + whole.slice(at + length));
    fc.assert(
      fc.property(fc.oneof(spoilt, fc.string({ maxLength: 200 })), (text) => {
        const { floor, problems } = parseFloor("floor.yaml", text);
        expect(floor === undefined).toBe(problems.length > 0);
      }),
    );
  });
});
