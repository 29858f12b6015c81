// What is said of a process, and what never is.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { culpritOf } from "./culprit.ts";

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.dispose());

function namespace(id: string): void {
  mkdirSync(join(host.root, "proc/self/ns"), { recursive: true });
  symlinkSync(`pid:[${id}]`, join(host.root, "proc/self/ns/pid"));
}
function process(pid: number, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(host.root, `proc/${pid}`), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(host.root, `proc/${pid}`, name), text);
}
const first = "4026531836";
const cron = "12:pids:/system.slice/cron.service\n0::/system.slice/cron.service\n";
const said = async (comm: string) => (await culpritOf(host.files, { pid: 70, comm })).said;

describe("culpritOf", () => {
  it("names program, parent and unit, and no argument", async () => {
    namespace(first);
    process(70, {
      comm: "nft\n",
      cmdline: "/usr/sbin/nft\0add\0element\0password=hunter2\0",
      status: "Name:\tnft\nPPid:\t69\n",
      cgroup: cron,
    });
    process(69, { comm: "sh\n" });
    expect(await said("nft")).toBe("nft (process 70, /usr/sbin/nft) run by sh in cron.service");
    expect((await culpritOf(host.files, { pid: 70, comm: "nft" })).kind).toBe(
      "nft run by sh in cron.service",
    );
  });

  it("keeps to the kernel's word when the process has ended, or its number is another's", async () => {
    namespace(first);
    expect(await said("nft")).toBe("nft (process 70, ended since)");
    process(70, { comm: "sshd\n", cmdline: "sshd\0", status: "PPid:\t1\n", cgroup: cron });
    expect(await said("nft")).toBe("nft (process 70, ended since)");
  });

  it("does not look numbers up where they mean something else", async () => {
    namespace("4026532999");
    process(70, { comm: "nft\n", cmdline: "nft\0", status: "PPid:\t1\n", cgroup: cron });
    expect(await said("nft")).toBe("nft (process 70 as the kernel counts)");
  });

  it("prints names as they are only where they are harmless, and not without end", async () => {
    namespace(first);
    expect(await said("a\u001b[2J b")).toBe("a?[2J?b (process 70, ended since)");
    process(70, { comm: "x\n", cmdline: `${"y".repeat(9_000)} secret\0`, status: "PPid:\t1\n", cgroup: "" });
    expect((await said("x")).length).toBeLessThan(100);
  });

  it("says so when nobody heard who it was", async () => {
    expect((await culpritOf(host.files, undefined)).said).toBe("unknown process");
  });
});
