import { describe, expect, it } from "@jest/globals";
import { renderAgentEnvironment, renderAgentOptions, renderEtcdConfig } from "./cilium-agent-options.ts";

const cilium = { range: "10.42.1.0/24", ranges: "10.42.0.0/16" };
const options = renderAgentOptions({ mesh: "shop", address: "10.77.0.11", device: "eth0", cilium });

describe("options of an agent of Cilium", () => {
  it("are of this node", () => {
    expect(options).toMatchObject({
      "cluster-name": "weft-shop",
      "ipv4-node": "10.77.0.11",
      "ipv4-range": "10.42.1.0/24",
      "ipv4-native-routing-cidr": "10.42.0.0/16",
      devices: "eth0",
      "kvstore-opt": '{"etcd.config":"/etc/weft/cilium/etcd.yaml"}',
    });
  });

  it("hold what a policy rests on", () => {
    expect(options).toMatchObject({
      "enable-source-ip-verification": "true",
      "policy-cidr-match-mode": "nodes",
      "policy-default-local-cluster": "false",
      "enable-policy": "always",
      "enable-ipv4-masquerade": "true",
      "static-cnp-path": "/etc/weft/cilium/policies",
    });
    expect(Object.keys(options)).not.toContain("allow-localhost");
  });

  it("make no endpoint but those of services, and a router outside the range", () => {
    expect(options).toMatchObject({
      "enable-health-checking": "false",
      "enable-endpoint-health-checking": "false",
      "local-router-ipv4": "169.254.42.1",
    });
  });

  it("let verdicts and drops be heard, no packets that pass, and never more than a machine can bear", () => {
    expect(options).toMatchObject({
      "bpf-events-policy-verdict-enabled": "true",
      "bpf-events-trace-enabled": "false",
      "bpf-events-default-rate-limit": "4000",
      "bpf-events-default-burst-limit": "4000",
      "monitor-queue-size": "16000",
    });
  });

  it("are words that are names of files, with values of one line", () => {
    for (const [name, value] of Object.entries(options)) {
      expect(name).toMatch(/^[a-z0-9-]+$/);
      expect(value).toMatch(/^[^\n]+$/);
    }
  });

  it("are not written for a node without IPv4", () => {
    expect(() => renderAgentOptions({ mesh: "shop", address: "fd77::11", device: "eth0", cilium })).toThrow(
      /no IPv4 address/,
    );
  });
});

describe("etcd and environment", () => {
  it("name the files that are given, and none that is not", () => {
    const members = ["https://10.77.0.10:2379", "https://10.77.0.20:2379"];
    const none = { ca: undefined, certificate: undefined, key: undefined };
    expect(JSON.parse(renderEtcdConfig({ members, ...none }))).toEqual({ endpoints: members });
    const files = { ca: "/etc/e/ca.pem", certificate: "/etc/e/c.pem", key: "/etc/e/k.pem" };
    expect(JSON.parse(renderEtcdConfig({ members, ...files }))).toEqual({
      endpoints: members,
      "trusted-ca-file": "/etc/e/ca.pem",
      "cert-file": "/etc/e/c.pem",
      "key-file": "/etc/e/k.pem",
    });
  });

  it("name the node", () => {
    expect(renderAgentEnvironment("web1")).toBe("K8S_NODE_NAME=web1\n");
  });
});
