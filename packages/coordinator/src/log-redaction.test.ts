import { generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { parseNodeName } from "@weft/shared/model/ids";
import { formatJoinToken } from "@weft/shared/model/join-token";
import { redact } from "./log-redaction.ts";

const token = formatJoinToken(parseNodeName("web1"), randomBytes(24));
const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();

describe("the log", () => {
  it.each([
    ["a token in a sentence", `the token ${token} is wrong`],
    ["a key in a sentence", `cannot read ${pem} at all`],
    ["a key cut short", pem.slice(0, -30)],
    ["a field named token", { token: "short" }],
    ["a field deep inside", { request: { joinToken: token, keyPem: pem } }],
    ["bytes", { csr: Buffer.from(pem) }],
    ["a list", [[token], [pem]]],
    ["an error", new Error(`refused ${token} ${pem}`)],
    ["an error's cause in a field", { failure: new Error(token) }],
  ])("never shows %s", (_what, value) => {
    const text = JSON.stringify(redact(value));
    expect(text).not.toContain(token.slice(5));
    expect(text).not.toContain(pem.split("\n")[1]);
    expect(text).not.toContain('"short"');
  });

  it("keeps what is no secret", () => {
    const fields = { node: "web1", generation: 3, at: new Date(0), spiffeId: "spiffe://mesh.internal/web" };
    expect(redact(fields)).toEqual(fields);
    expect(redact({ sequence: 5n })).toEqual({ sequence: "5" });
  });
});
