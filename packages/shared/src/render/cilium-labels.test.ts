import { describe, expect, it } from "@jest/globals";
import { ciliumNamespace, endpointLabels, spiffeSelector } from "./cilium-labels.ts";

describe("labels of a SPIFFE ID", () => {
  it("are five, and the first is the start of the URI's SHA-256", () => {
    expect(endpointLabels("spiffe://mesh.internal/shop/api", "demo")).toEqual([
      // printf spiffe://mesh.internal/shop/api | sha256sum | cut -c1-40
      "spiffe:id=f4cca6cfef04a2269eea4dc7d78b0545183eefc0",
      "spiffe:td=mesh.internal",
      "spiffe:path=shop.api",
      "k8s:io.kubernetes.pod.namespace=weft-demo",
      "k8s:io.cilium.k8s.policy.cluster=weft-demo",
    ]);
    expect(spiffeSelector("spiffe://mesh.internal/shop/api")).toEqual({
      matchLabels: { "spiffe:id": "f4cca6cfef04a2269eea4dc7d78b0545183eefc0" },
    });
  });

  it("leave out what is no legal value", () => {
    const keys = (id: string) => endpointLabels(id, "demo").map((label) => label.split("=")[0]);
    const long = "a".repeat(64);
    expect(keys(`spiffe://${long}/api`)).not.toContain("spiffe:td");
    expect(keys(`spiffe://mesh.internal/${long}`)).not.toContain("spiffe:path");
    expect(keys("spiffe://mesh.internal/_api")).not.toContain("spiffe:path");
    expect(keys("spiffe://mesh.internal/_api")).toContain("spiffe:id");
    expect(() => endpointLabels("mesh.internal/api", "demo")).toThrow(/SPIFFE ID/);
  });

  it("keep two services apart whose paths read alike", () => {
    const [slash] = endpointLabels("spiffe://mesh.internal/shop/api", "demo");
    const [dot] = endpointLabels("spiffe://mesh.internal/shop.api", "demo");
    expect(slash).not.toBe(dot);
  });

  it("have a namespace that is a cluster's name, too: at most 32 characters, and other meshes have others", () => {
    const [one, other] = [`${"shop-".repeat(10)}a`, `${"shop-".repeat(10)}b`];
    expect(ciliumNamespace("a".repeat(27))).toBe(`weft-${"a".repeat(27)}`);
    for (const name of [one, other]) expect(ciliumNamespace(name)).toMatch(/^weft-[a-z0-9-]{1,27}$/);
    expect(ciliumNamespace(one)).not.toBe(ciliumNamespace(other));
    expect(ciliumNamespace(one)).not.toContain("--");
  });
});
