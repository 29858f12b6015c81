import { describe, expect, it } from "@jest/globals";
import { LinuxExec } from "./linux-exec.ts";

const exec = new LinuxExec();

describe("LinuxExec.run", () => {
  it("passes arguments as they are and input from memory", async () => {
    expect((await exec.run("printf", ["%s|", "a b", "$HOME;", "*"])).stdout).toBe("a b|$HOME;|*|");
    expect((await exec.run("cat", [], { input: "text" })).stdout).toBe("text");
  });

  it("says why a program failed, unless its code is expected", async () => {
    const failure = exec.run("sh", ["-c", "echo broken >&2; exit 3"]);
    await expect(failure).rejects.toMatchObject({ code: "WEFT-E004", why: "broken" });
    expect(await exec.run("sh", ["-c", "exit 3"], { allow: [3] })).toMatchObject({ code: 3 });
  });

  it("names a program that is not installed", async () => {
    await expect(exec.run("weft-no-such-program", [])).rejects.toMatchObject({ code: "WEFT-E007" });
  });

  it("kills what takes too long, prints too much or is not wanted any more", async () => {
    await expect(exec.run("sleep", ["30"], { timeoutMs: 50 })).rejects.toMatchObject({ code: "WEFT-E005" });
    await expect(exec.run("yes", [])).rejects.toMatchObject({ code: "WEFT-E004" });
    const stop = new AbortController();
    const running = exec.run("sleep", ["30"], { signal: stop.signal });
    stop.abort(new DOMException("stop", "AbortError"));
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
  });

  it("does not wait for what a killed program left running with its output open", async () => {
    const began = performance.now();
    const orphaned = exec.run("sh", ["-c", "sleep 5; true"], { timeoutMs: 100 });
    await expect(orphaned).rejects.toMatchObject({ code: "WEFT-E005" });
    expect(performance.now() - began).toBeLessThan(4_000);
  });
});
