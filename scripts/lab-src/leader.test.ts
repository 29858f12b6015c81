import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { isInit, livingLeader, startTimeOf } from "./leader.ts";

describe("the leader of a machine", () => {
  it("is PID 1 one namespace further in", () => {
    expect(isInit("Name:\tsystemd\nNSpid:\t4711\t1\nVmPeak:\n")).toBe(true);
    expect(isInit("Name:\tsystemd-journal\nNSpid:\t4712\t11\n")).toBe(false);
    expect(isInit("Name:\tinit\nNSpid:\t1\n")).toBe(false);
  });

  it("has a start time, whatever its name holds", () => {
    const fields = Array.from({ length: 50 }, (_, index) => String(index + 3));
    expect(startTimeOf(`7 (a) b (c)) ${fields.join(" ")}`)).toBe("22");
  });

  it("is not another process with the same number", async () => {
    const directory = await mkdtemp(join(tmpdir(), "leader-"));
    try {
      const file = join(directory, "leader");
      const start = startTimeOf(await readFile("/proc/self/stat", "utf8"));
      await writeFile(file, `${process.pid} ${start}\n`);
      expect(await livingLeader(file)).toBe(process.pid);
      await writeFile(file, `${process.pid} ${Number(start) - 1}\n`);
      expect(await livingLeader(file)).toBeUndefined();
      expect(await livingLeader(join(directory, "none"))).toBeUndefined();
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
