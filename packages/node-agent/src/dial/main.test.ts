// The program itself, as a process of its own: one line, and an exit code.
import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { readDialWord } from "./dial-word.ts";

function run(...argv: string[]): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(import.meta.dirname, "main.ts"), ...argv],
      { env: { NODE_OPTIONS: "" } },
      (_failure, stdout) => resolve({ code: child.exitCode ?? -1, stdout }),
    );
  });
}

describe("weft-dial", () => {
  it("says in one line what became of a connection", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).resume());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const there = await run("127.0.0.1", String(port));
    await new Promise((resolve) => server.close(resolve));
    expect([there.code, readDialWord(there.stdout)]).toEqual([0, { outcome: "accepted", errno: "" }]);
    const gone = await run("127.0.0.1", String(port));
    expect(gone).toEqual({ code: 0, stdout: "refused ECONNREFUSED\n" });
  }, 30_000);

  it("takes an address and a port, and nothing else", async () => {
    for (const argv of [
      [],
      ["localhost", "80"],
      ["127.0.0.1", "http"],
      ["127.0.0.1", "0"],
      ["127.0.0.1", "65536"],
    ])
      expect([argv, await run(...argv)]).toEqual([argv, { code: 2, stdout: "" }]);
  }, 60_000);
});
