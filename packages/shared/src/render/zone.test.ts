import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { DnsRecord } from "../model/desired.ts";
import { renderZone, serialOf } from "./zone.ts";

const zone = "mesh.internal";
const a = (name: string, value: string): DnsRecord => ({ name, type: "A", value });

describe("renderZone", () => {
  it("is the same text whatever the order, and says each record once", () => {
    const records = [a("api.mesh.internal", "10.77.0.13"), a("api.mesh.internal", "10.77.0.12")];
    const text = renderZone(zone, records, 7);
    expect(renderZone(zone, [...records].reverse(), 7)).toBe(text);
    expect(renderZone(zone, [...records, ...records], 7)).toBe(text);
    expect(text.match(/^api\.mesh\.internal\. 5 IN A 10\.77\.0\.1[23]$/gm)).toHaveLength(2);
  });

  it.each([
    ["a quote", 'a"b.mesh.internal', "10.0.0.1"],
    ["a newline", "a\nb.mesh.internal", "10.0.0.1"],
    ["a control word", "$INCLUDE.mesh.internal", "10.0.0.1"],
    ["a brace", "{$HOME}.mesh.internal", "10.0.0.1"],
    ["a comment", "a;b.mesh.internal", "10.0.0.1"],
    ["a wildcard", "*.mesh.internal", "10.0.0.1"],
    ["capital letters", "Web.mesh.internal", "10.0.0.1"],
    ["an empty label", "a..mesh.internal", "10.0.0.1"],
    ["a trailing dot", "a.mesh.internal.", "10.0.0.1"],
    ["a long label", `${"a".repeat(64)}.mesh.internal`, "10.0.0.1"],
    ["a name outside the zone", "a.example.test", "10.0.0.1"],
    ["a name that only ends alike", "amesh.internal", "10.0.0.1"],
    ["no address", "a.mesh.internal", "10.0.0.1 ; x"],
    ["an address of the other family", "a.mesh.internal", "fd77::1"],
  ])("refuses %s", (_what, name, value) => {
    expect(() => renderZone(zone, [a(name, value)], 1)).toThrow();
  });

  it.each(["0 0 8080", "0 0 70000 a.b", "0 0 80 a b", "0 0 80 a\n", "0 0 80 $x"])(
    "refuses the SRV value %p",
    (value) => {
      expect(() =>
        renderZone(zone, [{ name: "_http._tcp.api.mesh.internal", type: "SRV", value }], 1),
      ).toThrow();
    },
  );

  it.each([0, -1, 1.5, 2 ** 32])("refuses the serial %p", (serial) => {
    expect(() => renderZone(zone, [], serial)).toThrow();
  });

  it.each(["", ".", "a b", "../etc", "mesh.internal."])("refuses the zone %p", (name) => {
    expect(() => renderZone(name, [], 1)).toThrow();
  });

  it("never lets a record become more than one line", () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom("A", "AAAA", "SRV"), fc.string(), (label, type, value) => {
        let text: string;
        try {
          text = renderZone(zone, [{ name: `${label}.${zone}`, type, value }], 1);
        } catch {
          return;
        }
        expect(text.split("\n")).toHaveLength(5);
      }),
    );
  });
});

describe("serialOf", () => {
  it("reads back what was rendered", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 - 1 }), (serial) => {
        expect(serialOf(renderZone(zone, [a("web.mesh.internal", "10.0.0.1")], serial))).toBe(serial);
      }),
    );
  });

  it("knows no serial in anything else", () => {
    expect(serialOf("")).toBeUndefined();
    expect(serialOf("; IN SOA\n")).toBeUndefined();
  });
});
