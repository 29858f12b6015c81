// Containers of a node, in real kernels: behind masquerade and behind DNAT they come by neither the input nor the output
// hook, and are judged where they are forwarded.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { PolicyNet } from "../support/policy-net.ts";

const lab = new PolicyNet();
const { net, address, user } = lab;
const webToApi = "policies:\n  - { name: web-to-api, from: [web], to: api }\n";

beforeAll(() => lab.up(), 300_000);
afterAll(() => net.down());
beforeEach(() => lab.clear());

describe("containers", () => {
  beforeAll(async () => {
    net.addContainer("cage", "web1", "172.30.1");
    net.addContainer("crate", "api1", "172.30.2");
    await net.as("crate", user.root).listen(80);
    await net.as("api1", user.root).listen(9443);
    const masquerade =
      "add table ip t-nat\nadd chain ip t-nat post { type nat hook postrouting priority 100; }\n";
    net.nft("web1", `${masquerade}add rule ip t-nat post oifname eth0 ip saddr 172.30.1.0/24 masquerade\n`);
    const published =
      "add table ip t-nat\nadd chain ip t-nat pre { type nat hook prerouting priority -100; }\n";
    net.nft("api1", `${published}add rule ip t-nat pre iifname eth0 tcp dport 8443 dnat to 172.30.2.2:80\n`);
  });

  const head = `
nodes: { hub: { address: 10.77.0.10 }, web1: { address: 10.77.0.11 }, api1: { address: 10.77.0.12 } }
services:
  web: { nodes: [web1], user: web }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp, tls: 8443/tcp } }
`;

  it("behind a node's address do not pass for the node", async () => {
    expect(await net.as("cage", user.root).dial(address.api1.v4, 8080)).toBe("open");
    lab.enforce(webToApi, head);
    expect(await net.as("cage", user.root).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    // not even as the uid that is allowed on the host
    expect(await net.as("cage", user.web).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("cage", user.web).dial(address.rogue.v4, 9999)).toBe("open");
    expect(lab.elements("web1", "denied_forward4")).toMatch(/172\.30\.1\.2 \. 10\.77\.0\.12 \. tcp \. 8080/);
  });

  it("pass where the mesh file names their range", async () => {
    const named = "  - { name: cages, from: [{ cidr: 172.30.1.0/24 }, node:web1], to: api, ports: [http] }\n";
    lab.enforce(webToApi + named, head);
    expect(await net.as("cage", user.root).dial(address.api1.v4, 8080)).toBe("open");
  });

  it("that publish a service's port are reached by whom the policy lets to it", async () => {
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8443)).toBe("open");
    lab.enforce(webToApi, head);
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8443)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8443)).toBe("open");
    expect(await net.as("web1", user.mallory).dial(address.api1.v4, 8443)).toBe("ECONNREFUSED");
    // remembered as what was asked for, once each
    expect(lab.elements("api1", "seen_in4")).toMatch(/10\.77\.0\.66 \. tcp \. 8443 counter packets 1 /);
    expect(lab.elements("api1", "seen_in4")).toMatch(/10\.77\.0\.11 \. tcp \. 8443 counter packets 1 /);
    lab.enforce(
      "policies:\n  - { name: ops, from: [{ cidr: 10.77.0.64/27 }], to: api, ports: [tls] }\n",
      head,
    );
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8443)).toBe("open");
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8443)).toBe("ECONNREFUSED");
  });
});
