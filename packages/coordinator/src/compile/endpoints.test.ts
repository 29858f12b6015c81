// What a node that enforces with Cilium is given beside its rules of nftables, and which names it has that others have not.
import { describe, expect, it } from "@jest/globals";
import type { CiliumPeer } from "@weft/shared/model/cilium-policy";
import type { Mesh } from "@weft/shared/model/mesh";
import { lines, load } from "../../../../test/support/cilium/sample-mesh.ts";
import { compileMesh } from "./compile.ts";

const place = { node: "hub", address: "10.77.0.10", agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
/** With an instance of api that has no endpoint. */
const text = lines.join("\n").replace("api: { nodes: [api1]", "api: { nodes: [hub, api1]");
const contents = compileMesh(load(text).mesh as Mesh, place);
const records = (node: string) =>
  contents.get(node)?.dns.records.map(({ name, type, value }) => `${name} ${type} ${value}`);

describe("a node that enforces with Cilium", () => {
  const api1 = contents.get("api1");

  it("is given its endpoints, with their rules, and what its agent needs", () => {
    expect(api1?.cilium).toMatchObject({
      etcd: { members: ["https://10.77.0.10:2379"], ca: "/etc/etcd/ca.pem" },
      range: "10.42.12.0/24",
      ranges: "10.42.0.0/16",
      endpoints: [
        {
          service: "api",
          spiffeId: "spiffe://mesh.internal/api",
          unit: "api.service",
          address: "10.42.12.243",
          ports: [{ protocol: "tcp", from: 8080, to: 8080 }],
        },
      ],
    });
    expect(api1?.policy).toMatchObject({ enforcement: "nftables", endpoints: ["10.42.12.243"] });
    expect(contents.get("hub")).not.toHaveProperty("cilium");
    expect(contents.get("hub")?.policy).not.toHaveProperty("endpoints");
  });

  it("knows services that have endpoints by identity, all else by address", () => {
    const peers = (node: string, direction: string): CiliumPeer[] =>
      contents
        .get(node)
        ?.cilium?.endpoints.flatMap(({ rules }) => rules)
        .filter(({ origin, ...rule }) => rule.direction === direction && origin.policy !== "")
        .map(({ peer }) => peer) ?? [];
    const web = { kind: "service", service: "web", spiffeId: "spiffe://mesh.internal/web" };
    const api = { kind: "service", service: "api", spiffeId: "spiffe://mesh.internal/api" };
    const hub = { kind: "node", node: "hub", address: "10.77.0.10" };
    expect(peers("api1", "ingress")).toEqual([web]);
    expect(peers("web1", "ingress")).toEqual([hub]);
    expect(peers("web1", "egress")).toEqual([hub, api]);
  });

  it("has names that lead to endpoints, one for each; all others keep theirs", () => {
    expect(records("api1")).toEqual([
      "_http._tcp.api.mesh.internal SRV 0 0 8080 api1.api.mesh.internal",
      "_http._tcp.api.mesh.internal SRV 0 0 8080 hub.node.mesh.internal",
      "_http._tcp.web.mesh.internal SRV 0 0 8080 web1.web.mesh.internal",
      "api.mesh.internal A 10.42.12.243",
      "api.mesh.internal A 10.77.0.10",
      "api1.api.mesh.internal A 10.42.12.243",
      "api1.node.mesh.internal A 10.77.0.12",
      "hub.node.mesh.internal A 10.77.0.10",
      "web.mesh.internal A 10.42.11.127",
      "web1.node.mesh.internal A 10.77.0.11",
      "web1.web.mesh.internal A 10.42.11.127",
    ]);
    expect(records("web1")).toEqual(records("api1"));
    expect(records("hub")?.filter((record) => record.includes("10.42."))).toEqual([]);
  });

  it("without a service is given what its agent needs alone", () => {
    const bare = text.replace("10.77.0.10 }", "10.77.0.10, enforcement: cilium, range: 10.42.10.0/29 }");
    const moved = load(bare.replace("nodes: [hub, api1]", "nodes: [api1]"));
    const hub = compileMesh(moved.mesh as Mesh, place).get("hub");
    expect(hub?.cilium).toMatchObject({ range: "10.42.10.0/29", endpoints: [] });
    expect(hub?.policy).not.toHaveProperty("endpoints");
  });
});
