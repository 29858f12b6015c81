// In: the text of a resolv.conf. Out: what it says, and the text of one with our resolver in front. Pure.
// Text is one character per byte (latin1), so that bytes which are no UTF-8 pass through unharmed.
import { normaliseAddress } from "../model/address.ts";
import { resolverAddress } from "./resolver-address.ts";

export interface ResolvConf {
  /** In order, as written: a zone such as "%eth0" is part of the address. */
  readonly nameservers: readonly string[];
  /** The last `search` or `domain` line: it is the one that counts. */
  readonly search: string | undefined;
  /** All words of all `options` lines. */
  readonly options: readonly string[];
  readonly sortlist: string | undefined;
}

export const resolvConfMarker =
  "# weft: written by weft-node-agent; `weft-node-agent leave` puts the old file back";
const ownComment = "# weft:";
/** glibc reads three nameserver lines and ignores the rest. */
const oldServersKept = 2;
const rotateReason = "`options rotate` left out: it would send most private names past the private resolver";

export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  const options: string[] = [];
  let search: string | undefined;
  let sortlist: string | undefined;
  for (const line of text.split("\n")) {
    // a keyword counts only at the start of the line
    const match = /^(nameserver|search|domain|options|sortlist)[ \t]+(.*)$/.exec(line);
    const value = match?.[2]?.trim();
    if (value === undefined || value === "" || !/^[\x20-\x7e\t]+$/.test(value)) continue;
    if (match?.[1] === "nameserver") nameservers.push(value.split(/[ \t#;]/)[0] ?? "");
    else if (match?.[1] === "options") options.push(...value.split(/[ \t]+/));
    else if (match?.[1] === "sortlist") sortlist = `sortlist ${value}`;
    else search = `${match?.[1]} ${value}`;
  }
  return { nameservers: nameservers.filter(isNameserver), search, options, sortlist };
}

function isNameserver(text: string): boolean {
  return normaliseAddress(text.split("%")[0] ?? "") !== undefined;
}

/** Ours first, at most two of the old ones behind it: with our resolver dead, public names still resolve. */
export function renderResolvConf(old: ResolvConf): string {
  const kept = old.nameservers.filter((server) => server !== resolverAddress).slice(0, oldServersKept);
  const options = old.options.filter((option) => option !== "rotate");
  return [
    resolvConfMarker,
    ...(options.length === old.options.length ? [] : [`${ownComment} ${rotateReason}`]),
    `nameserver ${resolverAddress}`,
    ...kept.map((server) => `nameserver ${server}`),
    ...(old.search === undefined ? [] : [old.search]),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}`]),
    ...(old.sortlist === undefined ? [] : [old.sortlist]),
    "",
  ].join("\n");
}

/**
 * Of a service in a network namespace of its own, where this machine's loopback is not: it asks the node's address, and
 * nobody else, since a way to other resolvers is for policies to open.
 */
export function renderEndpointResolvConf(nodeAddress: string, old: ResolvConf): string {
  return [
    "# weft: written by weft-node-agent for services with an endpoint of Cilium",
    `nameserver ${nodeAddress}`,
    ...(old.search === undefined ? [] : [old.search]),
    ...(old.options.length === 0 ? [] : [`options ${old.options.join(" ")}`]),
    "",
  ].join("\n");
}

/** Our marker is the first line. */
export function isOurResolvConf(text: string): boolean {
  return text === resolvConfMarker || text.startsWith(`${resolvConfMarker}\n`);
}

/** What is left when only the lines that we put in go: for a file of ours that somebody else edited. */
export function withoutOurLines(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.startsWith(ownComment) && line.trim() !== `nameserver ${resolverAddress}`)
    .join("\n");
}
