import { isIP } from "node:net";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { cidrContains, formatCidr, normaliseAddress, parseCidr } from "./address.ts";

describe("addresses", () => {
  it("agrees with the system's own parser on what an address is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{1,24}$/)), (text) => {
        expect(normaliseAddress(text) !== undefined).toBe(isIP(text) !== 0);
      }),
      { numRuns: 500 },
    );
  });

  it("has one spelling, and parsing it gives the same block back", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const once = normaliseAddress(text)!;
        expect(normaliseAddress(once)).toBe(once);
        expect(new URL(`http://[${text}]/`).hostname).toBe(new URL(`http://[${once}]/`).hostname);
      }),
    );
    expect(normaliseAddress("FD77:0:0::0012")).toBe("fd77::12");
    expect(normaliseAddress("1:0:0:2:0:0:0:3")).toBe("1:0:0:2::3");
  });

  it("refuses host bits, octal-looking octets and bad lengths", () => {
    for (const text of [
      "10.0.0.1/8",
      "010.0.0.1",
      "10.0.0.0/33",
      "::/129",
      "10.0.0.0/08",
      "fe80::1%eth0",
      "",
    ])
      expect(parseCidr(text)).toBeUndefined();
  });

  it("contains what it covers", () => {
    const block = (text: string) => parseCidr(text)!;
    expect(cidrContains(block("10.77.0.0/24"), block("10.77.0.66"))).toBe(true);
    expect(cidrContains(block("10.77.0.0/24"), block("10.77.1.0"))).toBe(false);
    expect(cidrContains(block("0.0.0.0/0"), block("::1"))).toBe(false);
    expect(formatCidr(block("0.0.0.0/0"))).toBe("0.0.0.0/0");
  });
});
