import { PassThrough, Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { readToken, type TokenInput } from "./token.ts";

let host: FakeHost;
let shown: string;
const screen = new PassThrough();

beforeEach(() => {
  host = new FakeHost();
  shown = "";
  screen.removeAllListeners("data").on("data", (chunk) => {
    shown += String(chunk);
  });
});
afterEach(() => host.dispose());

const from = (input: TokenInput, tokenFile?: string) => readToken({ tokenFile, input, screen }, host.files);

function keyboard(keys: string): TokenInput & { raw: boolean[] } {
  const raw: boolean[] = [];
  return Object.assign(Readable.from([...keys]), {
    isTTY: true,
    raw,
    setRawMode: (on: boolean) => raw.push(on),
  });
}

describe("readToken", () => {
  it("takes the first line of a pipe", async () => {
    expect(await from(Readable.from(["web1.se", "cret\nmore"]))).toBe("web1.secret");
  });

  it("takes it from the keyboard without showing it", async () => {
    const input = keyboard("web1.sX\u007fecret\r");
    expect(await from(input)).toBe("web1.secret");
    expect(shown).not.toContain("secret");
    expect(input.raw).toEqual([true, false]);
  });

  it("gives the terminal back when it is stopped", async () => {
    const input = keyboard("web1\u0003");
    await expect(from(input)).rejects.toMatchObject({ code: "WEFT-E001" });
    expect(input.raw).toEqual([true, false]);
  });

  it("takes it from a file, and refuses an empty one", async () => {
    await host.files.write("/token", "  web1.secret  \n");
    await host.files.write("/empty", "\n");
    expect(await from(Readable.from([]), "/token")).toBe("web1.secret");
    await expect(from(Readable.from([]), "/empty")).rejects.toMatchObject({ code: "WEFT-E001" });
    await expect(from(Readable.from([]), "/none")).rejects.toMatchObject({ code: "WEFT-E001" });
  });
});
