// In: what `cilium-dbg bpf ipcache list -o json` prints. Out: which identity Cilium knows an address by. Pure. By the map that the
// datapath asks, and as it asks it: the longest range that covers the address.
import { covers } from "@weft/shared/model/address";
import { jsonOf, objectOf, textsOf, wrong } from "./parse-fields.ts";

/** undefined: none that is known. */
export type IdentityOf = (address: string) => number | undefined;

export function parseIpcache(text: string): IdentityOf {
  const entries = Object.entries(objectOf("the ipcache", jsonOf(text)))
    .map(([range, said]) => ({ range, bits: bitsOf(range), identity: identityOf(textsOf(range, said)) }))
    .sort((a, b) => b.bits - a.bits);
  return (address) => entries.find(({ range }) => covers(range, address))?.identity;
}

function bitsOf(range: string): number {
  const [, bits] = /^[0-9a-f.:]+\/(\d{1,3})$/.exec(range) ?? [];
  if (bits === undefined) throw wrong(`"${range}" is no range of the ipcache`);
  return Number(bits);
}

/** "identity=8061 encryptkey=0 tunnelendpoint=10.77.0.12 flags=..." */
function identityOf([said = "", ...more]: readonly string[]): number {
  const [, number] = /^identity=(\d{1,10})(?: |$)/.exec(said) ?? [];
  if (number === undefined || more.length > 0) throw wrong(`"${said}" does not say one identity`);
  return Number(number);
}
