import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { isWeftError } from "../errors/weft-error.ts";
import { formatSpiffeId, parseSpiffeId, parseTrustDomain, sameSpiffeId, spiffeIdOf } from "./spiffe-id.ts";

function accepts(text: string): boolean {
  try {
    parseSpiffeId(text);
    return true;
  } catch (error) {
    if (isWeftError(error) && error.code === "WEFT-E205") return false;
    throw error;
  }
}

const everyCodePoint = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));

describe("parseSpiffeId", () => {
  it("accepts in a trust domain exactly a-z 0-9 . - _ of all code points up to 255", () => {
    const accepted = everyCodePoint.filter(
      (char) => accepts(`spiffe://trust${char}domain/path`) && char !== "/",
    );
    expect(accepted.join("")).toBe("-.0123456789_abcdefghijklmnopqrstuvwxyz");
  });

  it("accepts in a path exactly A-Z a-z 0-9 . - _ and / of all code points up to 255", () => {
    const accepted = everyCodePoint.filter((char) => accepts(`spiffe://trustdomain/a${char}b`));
    expect(accepted.join("")).toBe("-./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");
  });

  it.each([
    ["spiffe://td", "td", ""],
    ["spiffe://td/path", "td", "/path"],
    ["spiffe://td/a/b/C-1_.x", "td", "/a/b/C-1_.x"],
    ["spiffe://td/...", "td", "/..."],
    ["spiffe://td/..path", "td", "/..path"],
    ["spiffe://td/path..", "td", "/path.."],
    ["spiffe://td/.hidden/x.", "td", "/.hidden/x."],
    ["spiffe://10.0.0.1/x", "10.0.0.1", "/x"],
    ["spiffe://-_./x", "-_.", "/x"],
    ["spiffe://mesh.internal/weft/node/api1", "mesh.internal", "/weft/node/api1"],
  ])("takes %s apart", (text, trustDomain, path) => {
    expect(parseSpiffeId(text)).toEqual({ trustDomain, path });
  });

  it.each([
    ["", 'does not start with "spiffe://"'],
    ["spiffe", "does not start"],
    ["spiffe:/td/path", "does not start"],
    ["Spiffe://td/path", "does not start"],
    ["SPIFFE://td/path", "does not start"],
    [" spiffe://td/path", "does not start"],
    ["http://td/path", "does not start"],
    ["//td/path", "does not start"],
    ["spiffe://", "trust domain is missing"],
    ["spiffe:///path", "trust domain is missing"],
    ["spiffe://TD/path", "trust domain consists"],
    ["spiffe://user@td/path", "trust domain consists"],
    ["spiffe://user:pass@td/path", "trust domain consists"],
    ["spiffe://td:443/path", "trust domain consists"],
    ["spiffe://[fd77::1]/path", "trust domain consists"],
    ["spiffe://t%64/path", "trust domain consists"],
    ["spiffe://td?q/path", "trust domain consists"],
    ["spiffe://td#f", "trust domain consists"],
    ["spiffe://td\n", "trust domain consists"],
    ["spiffe://td/", "empty segment or ends with a slash"],
    ["spiffe://td//", "empty segment or ends with a slash"],
    ["spiffe://td/path/", "empty segment or ends with a slash"],
    ["spiffe://td/a//b", "empty segment or ends with a slash"],
    ["spiffe://td//path", "empty segment or ends with a slash"],
    ["spiffe://td/.", "dot segment"],
    ["spiffe://td/..", "dot segment"],
    ["spiffe://td/a/./b", "dot segment"],
    ["spiffe://td/a/../b", "dot segment"],
    ["spiffe://td/./a", "dot segment"],
    ["spiffe://td/path?query", "path segment consists"],
    ["spiffe://td/path#fragment", "path segment consists"],
    ["spiffe://td/p%61th", "path segment consists"],
    ["spiffe://td/%2e%2e/x", "path segment consists"],
    ["spiffe://td/path\n", "path segment consists"],
    ["spiffe://td/path\0", "path segment consists"],
    ["spiffe://td/pfad-ä", "path segment consists"],
    ["spiffe://td/пример", "path segment consists"],
  ])("refuses %j", (text, why) => {
    expect(() => parseSpiffeId(text)).toThrow(
      expect.objectContaining({ code: "WEFT-E205", why: expect.stringContaining(why) }),
    );
  });

  it("holds the length limits of the standard to the byte", () => {
    const domain = "d".repeat(255);
    expect(accepts(`spiffe://${domain}/p`)).toBe(true);
    expect(accepts(`spiffe://${domain}d/p`)).toBe(false);
    const longest = `spiffe://td/${"p".repeat(2048 - 12)}`;
    expect(longest.length).toBe(2048);
    expect(accepts(longest)).toBe(true);
    expect(accepts(`${longest}p`)).toBe(false);
  });

  it("quotes what it refuses, so that a peer cannot forge log lines", () => {
    expect(() => parseSpiffeId("x\nok: spiffe://td/admin")).toThrow(
      /^"x\\nok: spiffe:\/\/td\/admin" is not a SPIFFE ID$/,
    );
    expect(() => parseSpiffeId("x".repeat(1e6))).toThrow(/^"x{120}" is not/);
  });
});

const segment = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/).filter((text) => text !== "." && text !== "..");
const trustDomain = fc.stringMatching(/^[a-z0-9._-]{1,40}$/);

describe("laws", () => {
  it("parsing and formatting are inverse", () => {
    fc.assert(
      fc.property(trustDomain, fc.array(segment, { maxLength: 6 }), (domain, segments) => {
        const id = spiffeIdOf(domain, ...segments);
        const text = formatSpiffeId(id);
        expect(text).toBe(["spiffe://", domain, ...segments.map((part) => `/${part}`)].join(""));
        expect(parseSpiffeId(text)).toEqual(id);
      }),
    );
  });

  it("two texts that are accepted mean the same ID only if they are the same text", () => {
    const text = fc.tuple(trustDomain, segment).map(([domain, path]) => `spiffe://${domain}/${path}`);
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(sameSpiffeId(parseSpiffeId(a), parseSpiffeId(b))).toBe(a === b);
      }),
    );
  });

  it("nothing outside the grammar is accepted, whatever it is", () => {
    const grammar = /^spiffe:\/\/[a-z0-9._-]+(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*$/;
    const noise = fc.string({ unit: fc.constantFrom(..."aZ0._-/%?#@: \n\u0000ä"), maxLength: 12 });
    fc.assert(
      fc.property(noise, (rest) => {
        const text = `spiffe://${rest}`;
        expect(accepts(text)).toBe(grammar.test(text) && !text.endsWith("\n"));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("spiffeIdOf and parseTrustDomain", () => {
  it.each([["a/b"], [""], ["."], [".."], ["%61"], ["a b"]])("refuse the segment %j", (part) => {
    expect(() => spiffeIdOf("td", part)).toThrow(expect.objectContaining({ code: "WEFT-E205" }));
  });

  it("take a bare trust domain name, and nothing with a scheme or a path", () => {
    expect(parseTrustDomain("mesh.internal")).toBe("mesh.internal");
    for (const text of ["", "MESH", "spiffe://mesh.internal", "mesh.internal/x"])
      expect(() => parseTrustDomain(text)).toThrow(expect.objectContaining({ code: "WEFT-E205" }));
  });
});
