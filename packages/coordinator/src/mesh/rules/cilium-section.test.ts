// What stands under `cilium:`: how it is read, and what is wrong with it, each at its line and column.
import { describe, expect, it } from "@jest/globals";
import { lines, load, problems, section } from "../../../../../test/support/cilium/sample-mesh.ts";
import { describeProblem } from "../problem.ts";

describe("a mesh with nodes that enforce with Cilium", () => {
  it("is read with everything it says", () => {
    const { mesh, problems: found } = load(lines.join("\n"));
    expect(found).toEqual([]);
    expect(mesh?.cilium).toEqual({
      etcd: {
        members: ["https://10.77.0.10:2379"],
        ca: "/etc/etcd/ca.pem",
        certificate: undefined,
        key: undefined,
      },
      ranges: "10.42.0.0/16",
    });
    expect(mesh?.nodes.map(({ enforcement, range }) => [enforcement, range])).toEqual([
      ["auto", undefined],
      ["cilium", "10.42.11.0/24"],
      ["cilium", "10.42.12.0/24"],
    ]);
  });

  it("may say what they share before there is such a node", () => {
    const plain = lines.join("\n").replaceAll(/, enforcement: cilium, range: [0-9./]+/g, "");
    expect(load(plain).problems).toEqual([]);
    expect(load(plain.replace(section, "")).mesh?.cilium).toBeUndefined();
  });
});

describe("what is wrong with it", () => {
  it.each<readonly [string, string, string, readonly string[]]>([
    ["an empty section", section, "cilium:", ['m:4:1: error: "cilium" is empty; allowed: a map']],
    ["no etcd", section, "cilium: { ranges: 10.42.0.0/16 }", ['m:4:1: error: "etcd" is missing']],
    [
      "a misspelt key",
      "ca: /etc",
      "cafile: /etc",
      ['m:4:55: error: unknown key "cafile"; allowed: nodes, members, ca, certificate, key'],
    ],
    [
      "no member",
      "[https://10.77.0.10:2379]",
      "[]",
      ['m:4:28: error: "members" is empty; allowed: at least one'],
    ],
    [
      "a member without a scheme and a port",
      "https://10.77.0.10:2379",
      "10.77.0.10",
      [
        'm:4:29: error: "10.77.0.10" is no URL of an etcd; allowed: http:// or https://, a host and a port, ' +
          'such as https://10.77.0.10:2379; did you mean "https://10.77.0.10:2379"?',
      ],
    ],
    [
      "a path that leads away",
      "/etc/etcd/ca.pem",
      "/etc/../ca.pem",
      [
        'm:4:59: error: "/etc/../ca.pem" is no path of a file; ' +
          "allowed: an absolute path of letters, digits, _, @, +, - and ., no part beginning with a dot",
      ],
    ],
    [
      "a certificate alone",
      "ca: /etc/etcd/ca.pem",
      "certificate: /etc/etcd/own.pem",
      ['m:4:68: error: "certificate" is given and "key" is not; allowed: both, or neither'],
    ],
    [
      "a key alone",
      "ca: /etc/etcd/ca.pem",
      "key: /etc/etcd/own.key",
      ['m:4:60: error: "key" is given and "certificate" is not; allowed: both, or neither'],
    ],
    [
      "plain http with a ca",
      "https",
      "http",
      [
        "m:4:29: warning: http://10.77.0.10:2379 is not encrypted and asks nobody who he is: " +
          "anybody who reaches it can give himself any identity of the mesh; allowed: https, with certificate and key",
        'm:4:58: error: "ca" protects nothing: no member of etcd is asked over https; ' +
          "allowed: https members, or none of ca, certificate and key",
      ],
    ],
    [
      "ranges of the other family",
      "ranges: 10.42.0.0/16",
      'ranges: "fd42::/64"',
      [
        'm:4:87: error: "fd42::/64" is no IPv4 range; ' +
          "allowed: an IPv4 CIDR whose host bits are zero, such as 10.42.11.0/24",
      ],
    ],
    [
      "ranges over nodes and etcd",
      "ranges: 10.42.0.0/16",
      "ranges: 10.77.0.0/16",
      [
        "m:4:87: error: the ranges 10.77.0.0/16 of endpoints cover addresses of nodes (hub, web1, api1); " +
          "allowed: a private range that nothing else is in",
        "m:4:87: error: the ranges 10.77.0.0/16 of endpoints cover members of etcd (https://10.77.0.10:2379); " +
          "allowed: a private range that nothing else is in",
        'm:7:60: error: the range 10.42.11.0/24 of node "web1" is not inside cilium.ranges; allowed: a part of 10.77.0.0/16',
        'm:8:60: error: the range 10.42.12.0/24 of node "api1" is not inside cilium.ranges; allowed: a part of 10.77.0.0/16',
      ],
    ],
    [
      "ranges that are too wide",
      "ranges: 10.42.0.0/16",
      "ranges: 10.42.0.0/15",
      ["m:4:87: error: the ranges 10.42.0.0/15 are too wide; allowed: /16, or less"],
    ],
    [
      "ranges over everything",
      "ranges: 10.42.0.0/16",
      "ranges: 0.0.0.0/0",
      [
        "m:4:87: error: the ranges 0.0.0.0/0 hold a loopback address; " +
          "allowed: a private range that nothing else is in",
      ],
    ],
    [
      "an etcd that is a service there",
      "https://10.77.0.10:2379",
      "https://10.77.0.12:8080",
      [
        'm:4:29: error: https://10.77.0.12:8080 is service "api" of node "api1", which would need this etcd ' +
          "to get its own endpoint; allowed: an etcd on a node without Cilium, or one that is no service of the mesh",
      ],
    ],
  ])("%s", (_what, find, put, expected) => {
    expect(problems(find, put)).toEqual(expected);
  });

  it("plain http alone is a warning, and the mesh is there", () => {
    const text = lines.join("\n").replace(/members.*pem/, "members: [http://10.77.0.10:2379]");
    const { mesh, problems: found } = load(text);
    expect(found.map(describeProblem)).toEqual([
      expect.stringMatching(/^m:4:29: warning: .*is not encrypted/),
    ]);
    expect(mesh).toBeDefined();
  });

  it.each([
    [
      "guard: { admin: [10.0.0.0/8] }",
      "error: admin range 10.0.0.0/8 overlaps the ranges 10.42.0.0/16 of endpoints: services would count as administrators",
    ],
    [
      "guard: { admin: [10.42.11.3] }",
      "error: admin range 10.42.11.3 overlaps the ranges 10.42.0.0/16 of endpoints",
    ],
    [
      "dns: { upstreams: [10.42.9.9] }",
      "error: the ranges 10.42.0.0/16 of endpoints cover DNS upstreams (10.42.9.9)",
    ],
  ])("%s", (more, message) => {
    const found = problems(section, section, more);
    expect(found.filter((each) => each.includes(message))).toHaveLength(1);
  });
});
