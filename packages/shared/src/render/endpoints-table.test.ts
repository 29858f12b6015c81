import { describe, expect, it } from "@jest/globals";
import type { PortRange } from "../model/desired.ts";
import { renderEndpointsRemoval, renderEndpointsTable } from "./endpoints-table.ts";

const tcp = (from: number, to = from): PortRange => ({ protocol: "tcp", from, to });
const udp = (from: number, to = from): PortRange => ({ protocol: "udp", from, to });
const endpoint = (service: string, address: string, ports: readonly PortRange[]) => ({
  service,
  address,
  ports,
});
const rules = (text: string) => text.split("\n").filter((line) => line.includes("dnat"));

describe("the table of published ports", () => {
  it("sends each port on to its endpoint, at both hooks", () => {
    const text = renderEndpointsTable("10.77.0.11", [
      endpoint("api", "10.42.1.5", [tcp(8080), udp(5353), tcp(9000, 9010)]),
      endpoint("job", "10.42.1.6", []),
      endpoint("web", "10.42.1.7", [tcp(80)]),
    ]);
    expect(rules(text).map((rule) => rule.trim())).toEqual([
      'ip daddr 10.77.0.11 tcp dport { 8080, 9000-9010 } dnat to 10.42.1.5 comment "api"',
      'ip daddr 10.77.0.11 udp dport { 5353 } dnat to 10.42.1.5 comment "api"',
      'ip daddr 10.77.0.11 tcp dport { 80 } dnat to 10.42.1.7 comment "web"',
    ]);
    expect(text.match(/jump publish/g)).toHaveLength(2);
    expect(text.indexOf('iifname "lxc*" return')).toBeLessThan(text.indexOf("jump publish"));
  });

  it("leads nothing away that is for SSH or the resolver", () => {
    const text = renderEndpointsTable("10.77.0.11", [endpoint("api", "10.42.1.5", [tcp(1, 65535)])]);
    const kept = text.indexOf("meta l4proto { tcp, udp } th dport { 22, 53 } return");
    expect(kept).toBeGreaterThan(text.indexOf("chain publish"));
    expect(kept).toBeLessThan(text.indexOf("dnat to"));
  });

  it("holds no ranges that overlap", () => {
    const ports = [tcp(90, 95), tcp(80, 92), tcp(96), tcp(100)];
    const [rule] = rules(renderEndpointsTable("10.77.0.11", [endpoint("api", "10.42.1.5", ports)]));
    expect(rule).toContain("{ 80-96, 100 }");
  });

  it("replaces what was there, in the same transaction", () => {
    expect(renderEndpointsTable("10.77.0.11", [])).toMatch(
      /^add table ip weft_endpoints\ndelete table ip weft_endpoints\ntable ip weft_endpoints \{/,
    );
    expect(renderEndpointsRemoval()).toBe("add table ip weft_endpoints\ndelete table ip weft_endpoints\n");
  });
});
