import { describe, expect, it } from "@jest/globals";
import { grpcTarget, parseEndpointSocket } from "./endpoint-socket.ts";

describe("parseEndpointSocket", () => {
  it.each([
    ["unix:///run/spire/agent/public/api.sock", "unix:///run/spire/agent/public/api.sock"],
    ["unix:/run/api.sock", "unix:///run/api.sock"],
    [`unix:///${"p".repeat(106)}`, `unix:///${"p".repeat(106)}`],
    ["tcp://1.2.3.4:5", "ipv4:1.2.3.4:5"],
    ["tcp://127.0.0.1:65535", "ipv4:127.0.0.1:65535"],
    ["tcp://[::1]:8000", "ipv6:[::1]:8000"],
  ])("takes %s", (text, target) => {
    expect(grpcTarget(parseEndpointSocket(text))).toBe(target);
  });

  it.each([
    [""],
    ["\t"],
    ["blah"],
    ["/run/api.sock"],
    ["http://1.2.3.4:5"],
    ["UNIX:///run/api.sock"],
    ["unix:"],
    ["unix:opaque"],
    ["unix:relative/path"],
    ["unix://"],
    ["unix://foo"],
    ["unix://foo/path"],
    ["unix://foo?whatever"],
    ["unix://foo#whatever"],
    ["unix://john:doe@foo/path"],
    ["unix:///run/api.sock?whatever"],
    ["unix:///run/api.sock#whatever"],
    ["unix:///run/%61pi.sock"],
    ["unix:///run/api.sock\n"],
    ["unix:///run/api\0.sock"],
    [`unix:///${"p".repeat(107)}`],
    ["tcp:opaque"],
    ["tcp://"],
    ["tcp://foo"],
    ["tcp://foo:80"],
    ["tcp://1.2.3.4"],
    ["tcp://1.2.3.4:"],
    ["tcp://1.2.3.4:0"],
    ["tcp://1.2.3.4:65536"],
    ["tcp://1.2.3.4:5/path"],
    ["tcp://1.2.3.4:5/"],
    ["tcp://1.2.3.4:5?whatever"],
    ["tcp://1.2.3.4:5#whatever"],
    ["tcp://john:doe@1.2.3.4:5"],
    ["tcp://1.2.3:5"],
    ["tcp://[1.2.3.4]:5"],
    ["tcp://::1:5"],
    ["tcp://[fe80::1%25eth0]:5"],
  ])("refuses %j", (text) => {
    expect(() => parseEndpointSocket(text)).toThrow(expect.objectContaining({ code: "WEFT-E003" }));
  });
});
