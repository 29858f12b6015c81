import { describe, expect, it } from "@jest/globals";
import { parseEphemeralPorts, portConditions } from "./ephemeral-ports.ts";

const service = (from: number, to = from) => ({
  service: "web",
  node: "web1",
  address: "10.0.0.1",
  portName: "http",
  port: { protocol: "tcp", from, to } as const,
  user: "web",
  mode: "enforce" as const,
});

describe("portConditions", () => {
  const kernel = parseEphemeralPorts("32768\t60999\n", "33000,40000-40010\n");

  it("finds ports that outgoing connections may take", () => {
    expect(portConditions([service(8080), service(40005), service(33000)], kernel)).toEqual([]);
    expect(portConditions([service(32768)], kernel)).toMatchObject([{ code: "PORT_REFUSED" }]);
    expect(portConditions([service(40005, 40011)], kernel)).toHaveLength(1);
    expect(portConditions([service(30000, 61000)], kernel)).toHaveLength(1);
  });
});
