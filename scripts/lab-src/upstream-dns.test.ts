import { expect, it } from "@jest/globals";
import { parseQueryLog, upstreamConfig } from "./upstream-dns.ts";

it("reads the questions, and only those, from the log", () => {
  const log = `Nov 22 10:22:44 dnsmasq[9]: started, version 2.90 cache disabled
Nov 22 10:22:44 dnsmasq[9]: query[AAAA] www.example.test from 10.77.0.12
Nov 22 10:22:44 dnsmasq[9]: config www.example.test is 2001:db8::80
Nov 22 10:22:45 dnsmasq[9]: query[type=65] web.mesh.internal from fd77::11
`;
  expect(parseQueryLog(log)).toEqual([
    { type: "AAAA", name: "www.example.test", from: "10.77.0.12" },
    { type: "type=65", name: "web.mesh.internal", from: "fd77::11" },
  ]);
});

it("asks nobody else, and logs where it is told", () => {
  const config = upstreamConfig("/x/queries.log").split("\n");
  expect(config).toEqual(expect.arrayContaining(["no-resolv", "address=/#/", "log-facility=/x/queries.log"]));
});
