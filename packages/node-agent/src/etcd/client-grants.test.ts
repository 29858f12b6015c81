import "../../../../test/support/property-seed.ts";
import { describe, expect, it } from "@jest/globals";
import { formatCidr } from "@weft/shared/model/address";
import type { EtcdClient } from "@weft/shared/model/desired-etcd";
import fc from "fast-check";
import { addressFolder, clientGrants, type EtcdGrant } from "./client-grants.ts";

const clientOf = (addresses: readonly string[]): EtcdClient => ({
  node: "api1",
  address: "10.77.0.12",
  name: "api1.cilium.weft",
  addresses,
});

/** As etcd judges a write of one key. */
const mayWrite = (grants: readonly EtcdGrant[], key: string) =>
  grants.some(
    (grant) =>
      grant.permission !== "read" &&
      (grant.end === "" ? grant.key === key : grant.key <= key && key < grant.end),
  );

/** Near each other, so that some begin alike. */
const addresses = fc
  .tuple(fc.constantFrom(0x0a2a0c00n, 0x0a2a0d00n), fc.bigInt({ min: 0n, max: 255n }))
  .map(([network, host]) => formatCidr({ family: 4, network: network + host, bits: 32 }));

describe("what a client of etcd may write", () => {
  it("an address if and only if it is an endpoint's of it, or its own", () => {
    fc.assert(
      fc.property(fc.uniqueArray(addresses, { maxLength: 20 }), addresses, (own, asked) => {
        const grants = clientGrants(clientOf(own), "weft-test");
        expect(mayWrite(grants, `${addressFolder}${asked}`)).toBe(own.includes(asked));
        expect(mayWrite(grants, `${addressFolder}10.77.0.12`)).toBe(true);
      }),
    );
  });

  it("never anything that only begins like one of them: a range passes for the identity of all in it", () => {
    const tails = fc.oneof(
      fc.integer({ min: 0, max: 32 }).map((bits) => `/${bits}`),
      fc.constantFrom("/", ".", ".1", " ", "0000", ":", "/0/0"),
    );
    fc.assert(
      fc.property(addresses, tails, (own, tail) => {
        const grants = clientGrants(clientOf([own]), "weft-test");
        expect(mayWrite(grants, `${addressFolder}${own}${tail}`)).toBe(false);
      }),
    );
  });
});
