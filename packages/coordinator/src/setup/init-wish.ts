// In: the options of `weft init` as typed. Out: what mesh is wanted, each part checked. Pure.
import { WeftError } from "@weft/shared/errors/weft-error";
import { parseAddress } from "@weft/shared/model/address";
import { isLabel, parseNodeName } from "@weft/shared/model/ids";
import { parseTrustDomain } from "@weft/shared/spiffe/spiffe-id";

export interface InitWish {
  readonly mesh: string;
  readonly trustDomain: string;
  /** Of this machine, as the nodes reach it. */
  readonly address: string;
  readonly hub: string;
  readonly passphraseFile: string | undefined;
  /** Join this machine as a node, too. */
  readonly agent: boolean;
}

export interface InitOptions {
  readonly name: string;
  readonly address: string;
  readonly node: string;
  readonly trustDomain: string;
  readonly passphraseFile?: string;
  readonly agent: boolean;
}

export function parseInitWish(options: InitOptions): InitWish {
  if (!isLabel(options.name))
    throw new WeftError("WEFT-E001", `"${options.name}" is no name for a mesh`, {
      hint: "use 1 to 63 of a-z, 0-9 and -, not beginning or ending with -",
    });
  const trustDomain = parseTrustDomain(options.trustDomain);
  // It is the DNS zone as well, unless the mesh file says another.
  if (!trustDomain.split(".").every(isLabel) || trustDomain.endsWith(".local"))
    throw new WeftError("WEFT-E001", `"${trustDomain}" is no trust domain for a mesh`, {
      why: "It names the private DNS zone too, and .local belongs to multicast DNS.",
      hint: "use a name like mesh.internal",
    });
  const address = parseAddress(options.address);
  if (
    /^(127\.|0\.|169\.254\.)/.test(address) ||
    address === "::1" ||
    address === "::" ||
    address.startsWith("fe80:")
  )
    throw new WeftError("WEFT-E001", `nodes cannot reach this machine at ${address}`, {
      hint: "give the address that the other machines use for it",
    });
  return {
    mesh: options.name,
    trustDomain,
    address,
    hub: parseNodeName(options.node),
    passphraseFile: options.passphraseFile,
    agent: options.agent,
  };
}
