// In: /proc/net/fib_trie and /proc/net/if_inet6 of a network. Out: the addresses it has, loopback left out. Pure.
import { normaliseAddress } from "@weft/shared/model/address";

export function parseAddresses(fibTrie: string, ifInet6: string): ReadonlySet<string> {
  const four = [...fibTrie.matchAll(/\|-- ([0-9.]+)\n\s+\/32 host LOCAL/g)].map(([, text]) => text ?? "");
  const six = [...ifInet6.matchAll(/^([0-9a-f]{32}) /gm)].map(([, hex]) =>
    (hex?.match(/.{4}/g) ?? []).join(":"),
  );
  return new Set(
    [...four, ...six]
      .map((text) => normaliseAddress(text))
      .filter((address) => address !== undefined && !address.startsWith("127.") && address !== "::1")
      .map(String),
  );
}
