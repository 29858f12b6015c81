// In: the zone, where its file is, and the upstreams for everything else. Out: the text of the Corefile. Pure.
import { WeftError } from "../errors/weft-error.ts";
import { parseDomainName } from "./domain-name.ts";
import { resolverAddress } from "./resolver-address.ts";
import { literalUpstreams } from "./upstreams.ts";

export const dnsDirectory = "/etc/weft/dns";
export const corefilePath = `${dnsDirectory}/Corefile`;

/** Who else asks than this machine's own resolver: services in network namespaces, which its loopback is not in. */
export interface EndpointAskers {
  /** Of the node. */
  readonly address: string;
  /** CIDR of the endpoints. */
  readonly range: string;
  /** For everything outside the zone. */
  readonly upstreams: readonly string[];
}

export function zoneFilePath(zone: string): string {
  return `${dnsDirectory}/${parseDomainName(zone)}.zone`;
}

/**
 * Zone only when there are no upstreams: other names are answered REFUSED, which is right where the host's
 * resolver routes only our zone here. No `cache` in the zone block: the records are in memory already, and its
 * shortest time would hide a change for 5 s. No `transfer`: without it the `file` plugin refuses AXFR and IXFR.
 */
export function renderCorefile(
  zone: string,
  upstreams: readonly string[],
  endpoints?: EndpointAskers,
): string {
  const usable = literalUpstreams(upstreams, []);
  if (usable.length !== upstreams.length)
    throw new WeftError("WEFT-E003", `${upstreams.join(", ")} are no addresses to forward to`, {
      hint: "give literal addresses, each once, none of them loopback",
    });
  const everybody: Listening = {
    addresses: [resolverAddress, ...(endpoints === undefined ? [] : [endpoints.address])],
    admitted: ["127.0.0.0/8", ...(endpoints === undefined ? [] : [endpoints.range])],
  };
  const lines = [
    "# written by weft-node-agent, which replaces it on every change",
    ...serverBlock(`${zone}:53`, everybody, [
      "loadbalance",
      `file ${zoneFilePath(zone)} {`,
      "    reload 2s",
      "}",
    ]),
  ];
  if (usable.length > 0) lines.push(...serverBlock(".:53", everybody, forwarding(usable)));
  else if (endpoints !== undefined && endpoints.upstreams.length > 0)
    lines.push(
      ...serverBlock(
        ".:53",
        { addresses: [endpoints.address], admitted: [endpoints.range] },
        forwarding(endpoints.upstreams),
      ),
    );
  return `${lines.join("\n")}\n`;
}

function forwarding(upstreams: readonly string[]): string[] {
  return [
    "cache 300",
    `forward . ${upstreams.join(" ")} {`,
    // the order of resolv.conf is the order of preference
    "    policy sequential",
    "    max_concurrent 1000",
    "}",
  ];
}

interface Listening {
  readonly addresses: readonly string[];
  readonly admitted: readonly string[];
}

function serverBlock(name: string, { addresses, admitted }: Listening, plugins: readonly string[]): string[] {
  const common = [
    `bind ${addresses.join(" ")}`,
    "errors",
    "acl {",
    `    allow net ${admitted.join(" ")}`,
    "    block",
    "}",
    "bufsize 1232",
  ];
  return [`${name} {`, ...[...common, ...plugins].map((line) => `    ${line}`), "}"];
}
