import { expect, it } from "@jest/globals";
import { usesOurResolver } from "./resolved-link.ts";

const status = [
  "Link 7 (weft-dns0)",
  "    Current Scopes: DNS",
  "         Protocols: -DefaultRoute -LLMNR -mDNS -DNSOverTLS DNSSEC=no/unsupported",
  "Current DNS Server: 127.0.0.153",
  "       DNS Servers: 127.0.0.153",
  "        DNS Domain: ~mesh.internal",
  "",
].join("\n");

it.each([
  ["as made", status, true],
  [
    "without an address, which systemd-resolved ignores",
    status.replace("Scopes: DNS", "Scopes: none"),
    false,
  ],
  [
    "with another server",
    status.replace("DNS Servers: 127.0.0.153", "DNS Servers: 127.0.0.153 192.0.2.1"),
    false,
  ],
  ["for another zone", status.replace("~mesh.internal", "~other.internal"), false],
  ["for every name", status.replace("-DefaultRoute", "+DefaultRoute"), false],
  ["after a revert", "Link 7 (weft-dns0)\nCurrent Scopes: none\n     Protocols: +DefaultRoute\n", false],
])("a link %s", (_what, text, inForce) => {
  expect(usesOurResolver(text, "mesh.internal")).toBe(inForce);
});
