import { describe, expect, it } from "@jest/globals";
import { covers } from "@weft/shared/model/address";
import fc from "fast-check";
import { endpointAddresses } from "./endpoint-addresses.ts";

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,3}$/);
const names = fc.uniqueArray(name, { maxLength: 14 });

describe("the addresses of endpoints", () => {
  it("are found from names: these, in every release", () => {
    // 1 + the first 8 digits of `printf web | sha256sum`, modulo 254
    expect([...endpointAddresses("10.42.11.0/24", ["web", "api", "shop"])]).toEqual([
      ["api", "10.42.11.243"],
      ["shop", "10.42.11.140"],
      ["web", "10.42.11.127"],
    ]);
  });

  it("are distinct, inside the range and neither its first nor its last, whatever the order of names", () => {
    fc.assert(
      fc.property(names, fc.integer({ min: 16, max: 28 }), (services, bits) => {
        const range = `10.42.0.0/${bits}`;
        const made = endpointAddresses(range, services);
        const last = 2 ** (32 - bits) - 1;
        const edges = ["10.42.0.0", `10.42.${last >> 8}.${last & 255}`];
        expect(new Set(made.keys())).toEqual(new Set(services));
        expect(new Set(made.values()).size).toBe(services.length);
        for (const address of made.values()) {
          expect(covers(range, address)).toBe(true);
          expect(edges).not.toContain(address);
        }
        expect(endpointAddresses(range, services.toReversed())).toEqual(made);
      }),
    );
  });

  it("stay when a service comes or goes, but where another has taken the address", () => {
    let moves = 0;
    fc.assert(
      fc.property(names, name, (services, more) => {
        fc.pre(!services.includes(more) && services.length < 14);
        const before = endpointAddresses("10.42.0.0/28", services);
        const after = endpointAddresses("10.42.0.0/28", [...services, more]);
        const ownerAfter = new Map([...after].map(([service, address]) => [address, service]));
        for (const [service, address] of before) {
          if (after.get(service) === address) continue;
          moves++;
          expect(ownerAfter.get(address)).toBeDefined();
        }
      }),
    );
    expect(moves).toBeGreaterThan(0);
  });

  it("fill the range to the last one, and are refused beyond", () => {
    const six = ["a", "b", "c", "d", "e", "f"];
    expect(new Set(endpointAddresses("10.42.0.8/29", six).values())).toEqual(
      new Set([9, 10, 11, 12, 13, 14].map((last) => `10.42.0.${last}`)),
    );
    expect(() => endpointAddresses("10.42.0.8/29", [...six, "g"])).toThrow(/no room/);
  });
});
