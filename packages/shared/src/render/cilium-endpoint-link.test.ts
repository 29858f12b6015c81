import { describe, expect, it } from "@jest/globals";
import { endpointLink, renderEndpointFile, renderUnitDropIn } from "./cilium-endpoint-link.ts";
import { dropInFile, endpointFile } from "./cilium-places.ts";

describe("the link of an endpoint", () => {
  it("has a name that the kernel and Cilium take, whatever the service is called", () => {
    // printf web | sha256sum | cut -c1-12
    expect(endpointLink("web1", "web").name).toBe("lxc4b5e57f6eb2f");
    expect(endpointLink("web1", "a".repeat(63)).name).toHaveLength(15);
  });

  it("has hardware addresses of its own, locally administered, the same every time", () => {
    const all = ["web1", "web2"].flatMap((node) =>
      ["web", "api"].flatMap((service) => {
        const { outsideMac, insideMac } = endpointLink(node, service);
        return [outsideMac, insideMac];
      }),
    );
    for (const mac of all) expect(mac).toMatch(/^02(:[0-9a-f]{2}){5}$/);
    expect(new Set(all).size).toBe(8);
    expect(endpointLink("web1", "web")).toEqual(endpointLink("web1", "web"));
  });
});

describe("files of an endpoint", () => {
  it("say what weft-netns makes", () => {
    const web = { service: "web", address: "10.42.1.5" };
    const { name, outsideMac, insideMac } = endpointLink("web1", "web");
    const lines = [
      `LINK=${name}`,
      `OUTSIDE_MAC=${outsideMac}`,
      `INSIDE_MAC=${insideMac}`,
      "ADDRESS=10.42.1.5",
      "GATEWAY=169.254.42.1",
    ];
    const of = (resolver: string | undefined, mtu?: number) =>
      renderEndpointFile({ node: "web1", resolver, ...(mtu === undefined ? {} : { mtu }) }, web);
    expect(of(undefined)).toBe(`${lines.join("\n")}\n`);
    expect(of("10.77.0.11", 1400)).toBe(`${[...lines, "RESOLVER=10.77.0.11", "MTU=1400"].join("\n")}\n`);
    expect(endpointFile("web")).toBe("/etc/weft/cilium/endpoints/web");
  });

  it("move the unit, and take the powers that lead out", () => {
    expect(dropInFile("shop-web.service")).toBe(
      "/etc/systemd/system/shop-web.service.d/50-weft-endpoint.conf",
    );
    const dropIn = (resolver: string | undefined) => renderUnitDropIn({ resolver }, { service: "web" });
    expect(dropIn(undefined)).not.toContain("resolv.conf");
    expect(dropIn("10.77.0.11").split("\n").slice(1)).toEqual([
      "[Unit]",
      "Wants=weft-netns@web.service",
      "After=weft-netns@web.service",
      "PartOf=weft-netns@web.service",
      "",
      "[Service]",
      "NetworkNamespacePath=/run/netns/weft-web",
      "BindReadOnlyPaths=/etc/weft/cilium/resolv.conf:/etc/resolv.conf",
      "CapabilityBoundingSet=~CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_ADMIN",
      "",
    ]);
  });
});
