import { describe, expect, it } from "@jest/globals";
import { renderSpireServerConf, usualSpireServerSettings } from "./spire-server-conf.ts";

const rendered = renderSpireServerConf(usualSpireServerSettings("shop", "mesh.internal"));

describe("the SPIRE server's configuration", () => {
  it("is the same text for the same settings, and ends with a line feed", () => {
    expect(renderSpireServerConf(usualSpireServerSettings("shop", "mesh.internal"))).toBe(rendered);
    expect(rendered.endsWith("}\n")).toBe(true);
  });

  it("keeps names as they are, whatever characters they hold", () => {
    const odd = renderSpireServerConf({ ...usualSpireServerSettings(`a"b\\$c`, "mesh.internal") });
    expect(JSON.parse(odd)).toMatchObject({ server: { ca_subject: { common_name: `a"b\\$c` } } });
  });

  it("keeps every SVID's life within a sixth of the CA's", () => {
    const { server } = JSON.parse(rendered) as { server: Record<string, string> };
    const hours = (name: string) => Number(/^(\d+)h$/.exec(server[name] ?? "")?.[1]);
    expect(hours("agent_ttl")).toBeLessThanOrEqual(hours("ca_ttl") / 6);
    expect(hours("default_x509_svid_ttl")).toBeLessThanOrEqual(hours("ca_ttl") / 6);
  });

  it("attests nodes by exchange SVIDs only, and answers health checks on loopback only", () => {
    const { plugins, health_checks } = JSON.parse(rendered) as {
      plugins: { NodeAttestor: object };
      health_checks: { bind_address: string };
    };
    expect(plugins.NodeAttestor).toEqual({
      x509pop: { plugin_data: { mode: "spiffe", svid_prefix: "/spire-exchange/" } },
    });
    expect(health_checks.bind_address).toBe("127.0.0.1");
  });
});
