import "../../../../test/support/property-seed.ts";
import { describe, expect, it } from "@jest/globals";
import { covers, formatCidr } from "@weft/shared/model/address";
import type { EtcdClient } from "@weft/shared/model/desired-etcd";
import fc from "fast-check";
import { addressesOf, addressFolder, clientGrants, type EtcdGrant, isOwnAddress } from "./client-grants.ts";

const clientOf = (range: string): EtcdClient => ({
  node: "api1",
  address: "10.77.0.12",
  name: "api1.cilium.weft",
  range,
});

/** As etcd judges a write of one key. */
const mayWrite = (grants: readonly EtcdGrant[], key: string) =>
  grants.some(
    (grant) =>
      grant.permission !== "read" &&
      (grant.end === "" ? grant.key === key : grant.key <= key && key < grant.end),
  );

const ranges = fc
  .tuple(fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), fc.integer({ min: 22, max: 32 }))
  .map(([value, bits]) => {
    const shift = BigInt(32 - bits);
    return { network: (value >> shift) << shift, bits };
  });

describe("what a client of etcd may write", () => {
  it("an address if and only if it is in its range, or its own", () => {
    // within and around the range, and anywhere
    const near = fc.tuple(ranges, fc.bigInt({ min: -1100n, max: 2200n }), fc.boolean());
    fc.assert(
      fc.property(near, fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), ([range, offset, isNear], other) => {
        const text = formatCidr({ family: 4, ...range });
        const number = isNear ? (range.network + offset + 2n ** 32n) % 2n ** 32n : other;
        const address = formatCidr({ family: 4, network: number, bits: 32 });
        const client = clientOf(text);
        const isOwn = covers(text, address) || address === client.address;
        const grants = clientGrants(client, "weft-test");
        expect(mayWrite(grants, `${addressFolder}${address}`)).toBe(isOwn);
        expect(isOwnAddress(client, address)).toBe(isOwn);
      }),
    );
  });

  it("never anything that only begins like an address of its range", () => {
    const tails = fc.oneof(
      fc.integer({ min: 0, max: 32 }).map((bits) => `/${bits}`),
      fc.constantFrom("/", ".", ".1", " ", "0000", ":", "/0/0"),
    );
    fc.assert(
      fc.property(ranges, fc.nat(1023), tails, (range, step, tail) => {
        const text = formatCidr({ family: 4, ...range });
        const all = addressesOf(text) ?? [];
        const key = `${all[step % all.length] ?? ""}${tail}`;
        const client = clientOf(text);
        expect(mayWrite(clientGrants(client, "weft-test"), `${addressFolder}${key}`)).toBe(false);
        expect(isOwnAddress(client, key)).toBe(false);
      }),
    );
  });

  it("nothing of a range that is too wide, or none", () => {
    for (const range of ["10.42.0.0/21", "0.0.0.0/0", "fd00::/120", "10.42.0.1/24", "x"]) {
      expect(addressesOf(range)).toBeUndefined();
      const keys = clientGrants(clientOf(range), "weft-test").map(({ key }) => key);
      expect(keys.filter((key) => key.startsWith(addressFolder))).toEqual([`${addressFolder}10.77.0.12`]);
    }
  });
});
