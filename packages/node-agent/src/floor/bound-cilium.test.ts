import { describe, expect, it } from "@jest/globals";
import type { CiliumPeer, CiliumRule } from "@weft/shared/model/cilium-policy";
import { bounded, endpoint, two, wantedWith } from "../../../../test/support/cilium/bounded-endpoints.ts";
import { origin, tcp } from "../../../../test/support/floored.ts";
import { isNeverMoved } from "./bound-cilium.ts";
import { parseFloor } from "./parse-floor.ts";

const rule = (
  direction: CiliumRule["direction"],
  peer: CiliumPeer,
  more: Partial<CiliumRule> = {},
): CiliumRule => ({ direction, action: "allow", peer, ports: [tcp(8080)], origin, because: "", ...more });
const range = (cidr: string): CiliumPeer => ({ kind: "range", cidr, except: [] });
describe("endpoints of Cilium", () => {
  it("are admitted without a floor, and by one that says so", () => {
    for (const lines of [undefined, "cilium: true"]) {
      const { content, refused } = bounded(two, lines);
      expect(content).toEqual(two);
      expect(refused).toEqual([]);
    }
  });

  it.each([
    ["", 1],
    ["cilium: false", 2],
  ])("are refused by any other floor, all at once: %j", (lines, line) => {
    const { content, addresses, refused } = bounded(two, lines);
    expect(content).not.toHaveProperty("cilium");
    expect(addresses).toBeUndefined();
    expect(refused).toEqual([
      `floor.yaml:${line} refused endpoints of Cilium: the floor does not say \`cilium: true\``,
    ]);
  });

  it.each([
    ["cilium: yes", 'cilium is "yes"; allowed: true, false'],
    ["cilium: ture", 'cilium is "ture"; allowed: true, false; did you mean "true"?'],
    ["cilium:", 'cilium is "empty"; allowed: true, false'],
    ["cillium: true", 'did you mean "cilium"?'],
  ])("are no word of a floor that reads %j", (line, problem) => {
    const { problems } = parseFloor("floor.yaml", `weft-floor: v1\n${line}\n`);
    expect(problems.join()).toContain(problem);
  });

  it("never move what the machine stands on, floor or not", () => {
    const stolen = wantedWith([
      endpoint("api", "10.42.1.5"),
      endpoint("web", "10.42.1.6", { unit: "ssh.service" }),
    ]);
    for (const lines of [undefined, "cilium: true"]) {
      const { services, addresses, refused } = bounded(stolen, lines);
      expect([services, addresses]).toEqual([["api"], ["10.42.1.5"]]);
      expect(refused).toEqual([
        "the agent refused moving ssh.service into a network namespace: the machine stands on it",
      ]);
    }
  });

  it("are no addresses without an endpoint", () => {
    const more = bounded(wantedWith([endpoint("api", "10.42.1.5")], ["203.0.113.9"]));
    expect(more.addresses).toEqual(["10.42.1.5"]);
    expect(more.refused).toEqual([
      "the agent refused 203.0.113.9 as the address of an endpoint: no service has it",
    ]);
    const { cilium: _none, ...alone } = two;
    expect(bounded(alone)).toMatchObject({ addresses: undefined, refused: { length: 2 } });
  });

  it("are no endpoints without the address in the rules of nftables", () => {
    const unnamed = { ...two, policy: { ...two.policy, endpoints: ["10.42.1.6"] } };
    expect(bounded(unnamed)).toMatchObject({
      services: ["web"],
      addresses: ["10.42.1.6"],
      refused: ["the agent refused the endpoint 10.42.1.5 of api: the rules of nftables do not name it"],
    });
  });

  it("are of units and users that may stand for a service here", () => {
    expect(bounded(two, "cilium: true\nunits: [api.service]")).toMatchObject({
      services: ["api"],
      addresses: ["10.42.1.5"],
      refused: ["floor.yaml:3 refused unit web.service as service web"],
    });
    expect(bounded(two, "cilium: true\nusers: [web]").services).toEqual(["web"]);
  });
});

it.each([
  ...["ssh.service", "sshd.service", "ssh@1.service", "systemd-networkd.service", "dbus.service"],
  ...["dbus-org.freedesktop.login1.service", "weft-node-agent.service", "weft-netns@web.service"],
  ...["spire-agent.service", "networking.service", "NetworkManager.service", "getty@tty1.service"],
  ...["nftables.service", "user@1000.service", "wg-quick@wg0.service"],
])("%s is never moved", (unit) => {
  expect(isNeverMoved(unit)).toBe(true);
});

it.each([
  "web.service",
  "sshop.service",
  "shop-api.service",
  "nftables-exporter.service",
  "spire-demo.service",
])("%s may be", (unit) => {
  expect(isNeverMoved(unit)).toBe(false);
});

describe("an endpoint's policy", () => {
  const of = (rules: readonly CiliumRule[], lines: string) =>
    bounded(wantedWith([endpoint("api", "10.42.1.5", { rules })]), `cilium: true\n${lines}`);
  const service: CiliumPeer = { kind: "service", service: "web", spiffeId: "spiffe://mesh.internal/web" };
  const node: CiliumPeer = { kind: "node", node: "db1", address: "10.77.0.30" };

  it("is shut where the floor shuts the way out", () => {
    const wide = rule("egress", range("0.0.0.0/0"));
    expect(of([wide], "egress: { never: [169.254.169.254, fd77::/64] }").rules).toEqual([
      expect.objectContaining({
        direction: "egress",
        action: "deny",
        peer: range("169.254.169.254"),
        ports: undefined,
        origin: { policy: "floor", file: "/etc/weft/floor.yaml", line: 3 },
      }),
      wide,
    ]);
  });

  it("keeps of a range what lies within the floor, and denials whole", () => {
    const deny = rule("egress", range("0.0.0.0/0"), { action: "deny" });
    const { rules, refused } = of(
      [
        rule("egress", range("0.0.0.0/0")),
        deny,
        rule("ingress", range("192.0.2.0/24")),
        rule("egress", service),
      ],
      "egress: { to: [198.51.100.0/24] }\ningress: { from: [10.77.0.0/24] }",
    );
    expect(rules).toEqual([rule("egress", range("198.51.100.0/24")), deny, rule("egress", service)]);
    expect(refused).toContain("floor.yaml:3 refused policy ops (mesh.yaml:12): to 0.0.0.0/0");
    expect(refused).toContain("floor.yaml:4 refused policy ops (mesh.yaml:12): from 192.0.2.0/24");
  });

  it("opens no port that is never open, to services neither", () => {
    const open = [
      rule("ingress", service),
      rule("ingress", service, { ports: undefined }),
      rule("ingress", service, { ports: [tcp(9090)] }),
    ];
    expect(of(open, "ingress: { never: [8080/tcp] }").rules).toEqual(open.slice(2));
  });

  it("names nodes where the floor lets them be, and has the floor's default", () => {
    expect(of([rule("egress", node), rule("ingress", node)], "nodes: [10.77.0.0/28]").rules).toEqual([]);
    const byDefault = rule("egress", range("0.0.0.0/0"), { origin: { policy: "", file: "", line: 0 } });
    expect(
      of([byDefault, rule("egress", range("198.51.100.0/24"))], "egress: { default: deny }").rules,
    ).toEqual([rule("egress", range("198.51.100.0/24"))]);
  });
});
