import { describe, expect, it } from "@jest/globals";
import { groupRisks, parseRiskCode, reasonWith, weigh } from "./acceptance.ts";
import type { Risk, RiskCode } from "./risk.ts";

const risk = (code: RiskCode, node: string, line = 3): Risk => ({
  code,
  node,
  text: "something is cut",
  place: { file: "mesh.yaml", line },
});
const [admin, port] = [risk("GUARD-ADMIN", "web1"), risk("GUARD-PORT", "web1")];

describe("risks and what was accepted", () => {
  it("each code has to be named; what was named for nothing is told", () => {
    expect(weigh([admin, port], [])).toEqual({
      open: [admin, port],
      accepted: [],
      unneeded: [],
    });
    expect(weigh([admin, port], ["GUARD-PORT", "GUARD-HUB", "GUARD-HUB"])).toEqual({
      open: [admin],
      accepted: [port],
      unneeded: ["GUARD-HUB"],
    });
  });

  it("an unknown code is a usage error, with the code that was meant", () => {
    expect(parseRiskCode("GUARD-PORT")).toBe("GUARD-PORT");
    expect(() => parseRiskCode("GUARD-PROT")).toThrow(
      expect.objectContaining({
        code: "WEFT-E001",
        hint: "did you mean GUARD-PORT?",
      }),
    );
    expect(() => parseRiskCode("all")).toThrow(
      expect.objectContaining({
        code: "WEFT-E001",
        hint: expect.stringContaining("GUARD-ADMIN"),
      }),
    );
  });

  it("the history keeps them behind the reason", () => {
    expect(reasonWith("move", [])).toBe("move");
    expect(reasonWith("move", [port, admin, port])).toBe("move (accepted risks: GUARD-ADMIN, GUARD-PORT)");
    expect(reasonWith("", [admin])).toBe("accepted risks: GUARD-ADMIN");
  });

  it("the same of several nodes is said once", () => {
    expect(
      groupRisks([port, risk("GUARD-ADMIN", "web2"), admin, admin, risk("GUARD-ADMIN", "hub", 9)]),
    ).toEqual([
      expect.objectContaining({
        code: "GUARD-ADMIN",
        nodes: ["web1", "web2"],
        file: "mesh.yaml",
        line: 3,
      }),
      expect.objectContaining({ code: "GUARD-ADMIN", nodes: ["hub"], line: 9 }),
      expect.objectContaining({ code: "GUARD-PORT", nodes: ["web1"] }),
    ]);
  });
});
