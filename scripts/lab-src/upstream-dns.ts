// In: nothing but the lab's addresses. Out: the configuration of the lab's upstream DNS server (a small
// public-looking zone, everything else does not exist), and its query log as data.
import { address4, address6, upstreamHost } from "./topology.ts";

/** name -> addresses, as the public DNS would answer. */
export const publicRecords: Readonly<Record<string, readonly string[]>> = {
  "example.test": ["192.0.2.80"],
  "www.example.test": ["192.0.2.80", "2001:db8::80"],
  "mail.example.test": ["192.0.2.25"],
};

export function upstreamConfig(queryLog: string): string {
  const records = Object.entries(publicRecords).map(
    ([name, addresses]) => `host-record=${[name, ...addresses].join(",")}`,
  );
  return `${[
    "keep-in-foreground",
    "user=root",
    "pid-file=",
    "no-resolv",
    "no-hosts",
    "bind-interfaces",
    `listen-address=${address4(upstreamHost)}`,
    `listen-address=${address6(upstreamHost)}`,
    ...records,
    "txt-record=example.test,a public-looking zone",
    "mx-host=example.test,mail.example.test,10",
    // no other name exists
    "address=/#/",
    "cache-size=0",
    "log-queries",
    `log-facility=${queryLog}`,
  ].join("\n")}\n`;
}

export interface UpstreamQuery {
  readonly type: string;
  readonly name: string;
  readonly from: string;
}

/** The questions that reached the upstream server, oldest first. */
export function parseQueryLog(text: string): UpstreamQuery[] {
  return [...text.matchAll(/: query\[([^\]]+)\] (\S+) from (\S+)$/gm)].map(
    ([, type = "", name = "", from = ""]) => ({ type, name, from }),
  );
}
