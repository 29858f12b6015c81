import { describe, expect, it } from "@jest/globals";
import { renderCorefile, zoneFilePath } from "./corefile.ts";
import { literalUpstreams } from "./upstreams.ts";

describe("renderCorefile", () => {
  it("serves only the zone when nothing is forwarded", () => {
    const text = renderCorefile("mesh.internal", []);
    expect(text).not.toContain("forward");
    expect(text.match(/:53 \{/g)).toHaveLength(1);
  });

  it("listens on loopback alone in every block, and never offers the zone for transfer", () => {
    const text = renderCorefile("mesh.internal", ["192.0.2.53"]);
    expect(text.match(/bind 127\.0\.0\.153/g)).toHaveLength(2);
    expect(text.match(/ {8}block\n/g)).toHaveLength(2);
    expect(text).not.toContain("transfer");
  });

  it.each([
    ["127.0.0.1"],
    ["127.0.0.153"],
    ["::1"],
    ["0.0.0.0"],
    ["/etc/resolv.conf"],
    ["192.0.2.53 {$X}"],
    ["fe80::1%eth0"],
  ])("does not forward to %s", (upstream) => {
    expect(() => renderCorefile("mesh.internal", [upstream])).toThrow();
  });

  it.each(["mesh.internal { import x", "{$ZONE}", "a\nb", "../../etc/passwd", "#"])(
    "refuses the zone %p",
    (zone) => {
      expect(() => renderCorefile(zone, [])).toThrow();
      expect(() => zoneFilePath(zone)).toThrow();
    },
  );
});

describe("literalUpstreams", () => {
  it("keeps the order, drops what could lead back to us and what is no address", () => {
    const candidates = [
      "192.0.2.53",
      "127.0.0.1",
      "10.77.0.11",
      "FD77::53",
      "fe80::1%eth0",
      "fd77::53",
      "dns.example",
      "192.0.2.54",
    ];
    expect(literalUpstreams(candidates, ["10.77.0.11"])).toEqual(["192.0.2.53", "fd77::53", "192.0.2.54"]);
  });

  it("gives no more than one `forward` takes", () => {
    const many = Array.from({ length: 40 }, (_, index) => `192.0.2.${index + 1}`);
    expect(literalUpstreams(many, [])).toHaveLength(15);
  });
});
