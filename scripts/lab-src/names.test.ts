import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { labNames, labsDirectory, machinePlaces, namespaceOf } from "./names.ts";

const labName = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?$/);

describe("the names of a lab", () => {
  it.each(["", "-a", "a-", "A", "a.b", "a/b", "..", ".inotify-before", "a b", "x".repeat(25)])(
    "refuses %j",
    (name) => {
      expect(() => labNames(name)).toThrow(expect.objectContaining({ code: "WEFT-E001" }));
    },
  );

  it("keeps two labs apart: what carries one's prefix never carries the other's", () => {
    fc.assert(
      fc.property(labName, labName, labName, (one, other, part) => {
        fc.pre(one !== other);
        expect(namespaceOf(labNames(one), part).startsWith(labNames(other).prefix)).toBe(false);
      }),
    );
  });

  it("puts everything on disk below the lab's own directory", () => {
    const lab = labNames("one");
    expect(lab.directory).toBe(`${labsDirectory}/one`);
    for (const place of Object.values(machinePlaces(lab, "hub")))
      expect(place.startsWith(`${lab.directory}/`)).toBe(true);
  });

  it("leaves room for the control socket's path in a socket address", () => {
    expect(labNames("x".repeat(24)).controlSocket.length).toBeLessThan(108);
  });
});
