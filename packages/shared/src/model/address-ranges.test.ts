import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import "../../../../test/support/property-seed.ts";
import { cidrContains, formatCidr, parseCidr } from "./address.ts";
import { addressRanges, cidrsOf, formatAddressRange, holds, without } from "./address-ranges.ts";

const lost = (before: readonly string[], after: readonly string[]) =>
  without(addressRanges(before), addressRanges(after)).map(formatAddressRange);

describe("what one set of addresses has and another has not", () => {
  it.each([
    [["192.0.2.0/28"], ["192.0.2.0/24"], []],
    [["192.0.2.0/28"], ["192.0.2.0/29", "192.0.2.8/29"], []],
    [["192.0.2.0/28"], ["192.0.2.0/29"], ["192.0.2.8/29"]],
    [["192.0.2.0/30"], ["192.0.2.1"], ["192.0.2.0", "192.0.2.2-192.0.2.3"]],
    [["0.0.0.0/0"], ["::/0"], ["0.0.0.0/0"]],
    [["fd77::/64", "10.0.0.1"], ["fd77::/65"], ["10.0.0.1", "fd77::8000:0:0:0/65"]],
    [["255.255.255.255"], [], ["255.255.255.255"]],
  ])("%j without %j is %j", (before, after, expected) => {
    expect(lost(before, after)).toEqual(
      expected.map((text) => text.replace("192.0.2.2-192.0.2.3", "192.0.2.2/31")),
    );
  });

  it("an address is lost if and only if one list covers it and the other does not", () => {
    const block = fc
      .tuple(fc.nat(255), fc.integer({ min: 24, max: 32 }))
      .map(([host, bits]) => `10.0.0.${(host >> (32 - bits)) << (32 - bits)}/${bits}`);
    const covers = (list: readonly string[], address: string) =>
      list.some((text) => cidrContains(parseCidr(text)!, parseCidr(address)!));
    fc.assert(
      fc.property(
        fc.array(block, { maxLength: 6 }),
        fc.array(block, { maxLength: 6 }),
        fc.nat(255),
        (before, after, host) => {
          const address = `10.0.0.${host}`;
          const left = without(addressRanges(before), addressRanges(after));
          expect(holds(left, address)).toBe(covers(before, address) && !covers(after, address));
        },
      ),
    );
  });

  it("a range is made up of its blocks, and of nothing else", () => {
    const left = without(
      addressRanges(["10.0.0.0/24", "fd77::/64"]),
      addressRanges(["10.0.0.66", "fd77::1"]),
    );
    const blocks = left.flatMap(cidrsOf).map(formatCidr);
    expect(addressRanges(blocks)).toEqual(left);
    expect(blocks.slice(0, 4)).toEqual(["10.0.0.0/26", "10.0.0.64/31", "10.0.0.67", "10.0.0.68/30"]);
    expect(blocks).toHaveLength(8 + 64);
  });
});
