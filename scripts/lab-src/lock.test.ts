import { spawn } from "node:child_process";
import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "@jest/globals";
import { takeLock, withLock } from "./lock.ts";

describe("a lock", () => {
  it("lets one in at a time", async () => {
    const name = `weft-lock-test-${process.pid}`;
    let inside = 0;
    let entered = 0;
    const enter = () =>
      withLock(
        name,
        () => undefined,
        async () => {
          inside += 1;
          entered += 1;
          expect(inside).toBe(1);
          for (let turns = 0; turns < 20; turns += 1) await turn();
          inside -= 1;
        },
      );
    await Promise.all(Array.from({ length: 8 }, enter));
    expect(entered).toBe(8);
  });

  it("falls to the one who waits when its holder is killed", async () => {
    const name = `weft-lock-test-killed-${process.pid}`;
    const listen = `require("node:net").createServer().listen("\\0${name}", () => console.log("held"))`;
    const holder = spawn(process.execPath, ["-e", listen], { stdio: ["ignore", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    let waited = false;
    const lock = await takeLock(name, () => {
      waited = true;
      holder.kill("SIGKILL");
    });
    expect(waited).toBe(true);
    await lock.release();
  });
});
