import { describe, expect, it } from "@jest/globals";
import { redact } from "./log.ts";

describe("redact", () => {
  it.each([
    ["a token", `joined with web1.${"aB3_".repeat(8)} today`, "aB3_"],
    ["a key", "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----", "MIGH"],
    ["a cut key", "-----BEGIN EC PRIVATE KEY-----\nMIGH", "MIGH"],
    ["a named secret", "token=hunter2, go on", "hunter2"],
  ])("cuts out %s", (_name, text, secret) => {
    expect(redact(text)).not.toContain(secret);
    expect(redact(text)).toContain("[redacted]");
  });

  it("leaves digests, names and certificates' dates", () => {
    const text = `web1.mesh.internal carries ${"a".repeat(64)} until 2026-11-22`;
    expect(redact(text)).toBe(text);
  });
});
