import { describe, expect, it } from "@jest/globals";
import { address4, address6, findMachine, labMachines, macAddress, maxNodes } from "./topology.ts";

describe("the machines of a lab", () => {
  it("are hub, web1, api1 and rogue, and n1.. on request", () => {
    expect(labMachines(0).map(({ name }) => name)).toEqual(["hub", "web1", "api1", "rogue"]);
    expect(labMachines(2).slice(4)).toEqual([
      expect.objectContaining({ name: "n1", host: 101 }),
      expect.objectContaining({ name: "n2", host: 102 }),
    ]);
  });

  it("all have different addresses, none of them the switch's or the DNS server's", () => {
    const hosts = [53, 254, ...labMachines(maxNodes).map(({ host }) => host)];
    expect(new Set(hosts).size).toBe(hosts.length);
    expect(Math.max(...hosts)).toBeLessThan(255);
    expect(new Set(hosts.map(macAddress)).size).toBe(hosts.length);
  });

  it.each([-1, 1.5, Number.NaN, maxNodes + 1])("refuses %d extra nodes", (nodes) => {
    expect(() => labMachines(nodes)).toThrow(expect.objectContaining({ code: "WEFT-E001" }));
  });

  it("has the same digits in both address families", () => {
    expect([address4(12), address6(12)]).toEqual(["10.77.0.12", "fd77::12"]);
  });

  it("names the machines when one is unknown", () => {
    expect(() => findMachine("web2")).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("web1") }),
    );
  });
});
