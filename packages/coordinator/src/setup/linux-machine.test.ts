import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { linuxMachine, writeFileDurably } from "./linux-machine.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-machine-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a file", () => {
  const path = join(folder, "secret");

  it("is written whole with its mode, over what a killed run left", async () => {
    writeFileSync(`${path}.new`, "half");
    await writeFileDurably(path, "one\n", 0o600);
    await writeFileDurably(path, "two\n", 0o600);
    expect(readFileSync(path, "utf8")).toBe("two\n");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["secret"]);
  });

  it("is never written through a link that somebody put in its way", async () => {
    const victim = join(folder, "victim");
    writeFileSync(victim, "untouched");
    symlinkSync(victim, `${path}.new`);
    await writeFileDurably(path, "three\n", 0o600);
    expect(readFileSync(victim, "utf8")).toBe("untouched");
    expect(readFileSync(path, "utf8")).toBe("three\n");
  });

  it("that cannot be written is an error, and nothing is left of it", async () => {
    const absent = join(folder, "none", "file");
    await expect(writeFileDurably(absent, "x", 0o600)).rejects.toMatchObject({
      code: "WEFT-E002",
      why: "ENOENT",
    });
  });
});

describe("the machine", () => {
  const machine = linuxMachine();

  it("runs programs without a shell and gives them input", async () => {
    const echoed = await machine.run("cat", ["-"], { input: "$(id)\n" });
    expect(echoed).toMatchObject({ code: 0, stdout: "$(id)" });
    expect((await machine.run("false", [])).code).toBe(1);
    await expect(machine.run("/no/such/program", [])).rejects.toMatchObject({ code: "WEFT-E004" });
    await expect(machine.run("sleep", ["9"], { timeoutMs: 50 })).rejects.toMatchObject({ code: "WEFT-E005" });
  });

  it("knows a taken port from a free one", async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
    expect(await machine.portTaken(port)).toBe(true);
    await new Promise((resolve) => server.close(resolve));
    expect(await machine.portTaken(port)).toBe(false);
  });

  it("tells a missing file, user or address from a present one", async () => {
    expect(await machine.readText(join(folder, "absent"))).toBeUndefined();
    expect(await machine.user("root")).toEqual({ uid: 0, gid: 0 });
    expect(await machine.user("nobody-by-this-name")).toBeUndefined();
    expect(machine.addresses()).toContain("127.0.0.1");
  });
});
