// A lab comes and goes as a whole: whatever is killed on the way, the next up or down makes it right.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "@jest/globals";
import { parseCgroupMounts } from "../../scripts/lab-src/cgroups.ts";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { waitFor } from "../../scripts/lab-src/wait.ts";
import { freshLabName, labProgress } from "../support/lab.ts";

const program = fileURLToPath(new URL("../../scripts/lab", import.meta.url));
const minutes = 60_000;

async function list(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

/** Everything on this machine that carries a lab's name: namespaces, mounts, cgroups, directories, processes. */
async function tracesOf(name: string): Promise<string[]> {
  const lab = labNames(name);
  const mountinfo = await readFile("/proc/self/mountinfo", "utf8");
  const traces = mountinfo
    .split("\n")
    .filter((line) => line.includes(lab.prefix) || line.includes(`${lab.directory}/`));
  const cgroups = parseCgroupMounts(mountinfo);
  for (const directory of ["/run/netns", "/run/systemd/nspawn/propagate", cgroups.unified, ...cgroups.legacy])
    for (const entry of await list(directory))
      if (entry.startsWith(lab.cgroup) && !entry.startsWith(`${lab.cgroup}-`))
        traces.push(join(directory, entry));
  if (
    await access(lab.directory).then(
      () => true,
      () => false,
    )
  )
    traces.push(lab.directory);
  for (const pid of await list("/proc")) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    // empty for zombies, which wait for PID 1 only; unreadable for processes that have just ended
    const argv = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (argv.includes(lab.prefix) || argv.includes(`${lab.directory}/`) || argv.includes(`--name\0${name}\0`))
      traces.push(`process ${pid}: ${argv.replaceAll("\0", " ")}`);
  }
  return traces;
}

async function fourAreUp(name: string): Promise<void> {
  const lab = openLab(name);
  expect((await lab.status()).map(({ state }) => state)).toEqual([
    "running",
    "running",
    "running",
    "running",
  ]);
  const ping = await lab.exec("rogue", ["ping", "-c1", "-W2", lab.address("api1")]);
  expect(ping.code).toBe(0);
}

describe("the life of a lab", () => {
  const used: string[] = [];
  const fresh = (purpose: string): string => {
    const name = freshLabName(purpose);
    used.push(name);
    return name;
  };

  afterEach(async () => {
    for (const name of used.splice(0)) await labDown(labNames(name), labProgress);
  }, 2 * minutes);

  it(
    "leaves nothing behind, and down of nothing is no error",
    async () => {
      const name = fresh("traces");
      await labUp(labNames(name), 1, labProgress);
      // something to trip over: a mount and a daemon of the machine's own
      const hub = openLab(name);
      await hub.run("hub", [
        "sh",
        "-c",
        "mkdir /m && mount -t tmpfs none /m && (setsid sleep 4712 >/dev/null 2>&1 &)",
      ]);
      const traces = await tracesOf(name);
      for (const kind of ["/run/netns/", "/sys/fs/cgroup", "/var/lib/weft-lab/", "process "])
        expect(traces.join("\n")).toContain(kind);
      await labDown(labNames(name), labProgress);
      expect(await tracesOf(name)).toEqual([]);
      await labDown(labNames(name), labProgress);
      expect(await tracesOf(name)).toEqual([]);
    },
    3 * minutes,
  );

  it(
    "several live side by side with the same addresses, and one's end is not the other's",
    async () => {
      const [one, other] = [fresh("one"), fresh("one-more")];
      await Promise.all([one, other].map((name) => labUp(labNames(name), 0, labProgress)));
      const [lab, neighbour] = [openLab(one), openLab(other)];
      await lab.run("hub", ["nft", "add", "table", "inet", "mine"]);
      await neighbour.cut("api1");
      await fourAreUp(one);
      expect((await neighbour.exec("hub", ["nft", "list", "tables"])).stdout).toBe("");
      await labDown(labNames(one), labProgress);
      expect(await tracesOf(one)).toEqual([]);
      await neighbour.heal("api1");
      await fourAreUp(other);
    },
    3 * minutes,
  );

  it(
    "two commands at once make one lab",
    async () => {
      const name = fresh("twice");
      await Promise.all([1, 2].map(() => labUp(labNames(name), 0, labProgress)));
      await fourAreUp(name);
      expect(await supervisorsOf(name)).toHaveLength(1);
      await Promise.all([labUp(labNames(name), 0, labProgress), labDown(labNames(name), labProgress)]);
      // whichever came last won, whole
      const traces = await tracesOf(name);
      if (traces.length > 0) await fourAreUp(name);
    },
    3 * minutes,
  );

  // at these signs of life, `up` and everything it started so far is at different depths of its work
  it.each([
    ["the supervisor has begun", (name: string) => labNames(name).supervisorLog],
    ["the switch is there", (name: string) => `/run/netns/${labNames(name).prefix}switch`],
    ["a machine's network is there", (name: string) => `/run/netns/${labNames(name).prefix}web1`],
    ["a machine has begun to boot", (name: string) => `${labNames(name).directory}/machines/hub/console.log`],
  ])(
    "up is killed when %s: the next up makes the whole lab, and down after it leaves nothing",
    async (_, sign) => {
      const name = fresh("killed");
      for (const next of ["up", "down"] as const) {
        const command = spawn(program, ["up", "--name", name], { stdio: "ignore", detached: true });
        const ended = once(command, "exit");
        const path = sign(name);
        await waitFor({ what: `${path} to appear`, deadlineMs: minutes, everyMs: 2 }, () =>
          access(path).then(
            () => true,
            () => undefined,
          ),
        );
        command.kill("SIGKILL");
        await ended;
        // the second time the supervisor dies too, in the middle of whatever it does
        if (next === "down") for (const pid of await supervisorsOf(name)) process.kill(pid, "SIGKILL");
        if (next === "up") {
          await labUp(labNames(name), 0, labProgress);
          await fourAreUp(name);
        }
        await labDown(labNames(name), labProgress);
        expect(await tracesOf(name)).toEqual([]);
      }
    },
    4 * minutes,
  );

  it(
    "the supervisor of a running lab is killed: up makes a new lab",
    async () => {
      const name = fresh("orphaned");
      await labUp(labNames(name), 0, labProgress);
      await openLab(name).writeFile("hub", "/etc/old", "old");
      const pids = await supervisorsOf(name);
      expect(pids).toHaveLength(1);
      for (const pid of pids) process.kill(pid, "SIGKILL");
      await labUp(labNames(name), 0, labProgress);
      await fourAreUp(name);
      expect((await openLab(name).exec("hub", ["cat", "/etc/old"])).code).toBe(1);
      await labDown(labNames(name), labProgress);
      expect(await tracesOf(name)).toEqual([]);
    },
    3 * minutes,
  );

  it(
    "what entered a machine from outside does not hold up its power-off",
    async () => {
      const name = fresh("entered");
      await labUp(labNames(name), 0, labProgress);
      const lab = openLab(name);
      // whether the nsenter outside stops too, when systemd-shutdown stops all processes, is a race: about one in two
      for (let round = 0; round < 6; round++) {
        const inside = await lab.spawn("web1", ["sleep", "300"]);
        await lab.reboot("web1");
        expect(await inside.exited).toBeGreaterThan(128);
      }
      const console = await readFile(`${labNames(name).directory}/machines/web1/console.log`, "utf8");
      // systemd-shutdown's word for having waited 10 s
      expect(console).not.toMatch(/Waiting for process/);
    },
    2 * minutes,
  );

  it(
    "a machine that powered itself off is started by the next up, the others are left alone",
    async () => {
      const name = fresh("stopped");
      await labUp(labNames(name), 0, labProgress);
      const lab = openLab(name);
      const before = await lab.readFile("web1", "/proc/sys/kernel/random/boot_id");
      await lab.writeFile("hub", "/etc/kept", "kept");
      await lab.exec("hub", ["systemctl", "poweroff", "--no-block"]);
      await waitFor({ what: "the power-off of hub", deadlineMs: minutes }, async () =>
        (await lab.status()).some((machine) => machine.name === "hub" && machine.state === "stopped")
          ? true
          : undefined,
      );
      await expect(lab.exec("hub", ["true"])).rejects.toMatchObject({ code: "WEFT-E600" });
      await labUp(labNames(name), 0, labProgress);
      await fourAreUp(name);
      expect(await lab.readFile("hub", "/etc/kept")).toBe("kept");
      expect(await lab.readFile("web1", "/proc/sys/kernel/random/boot_id")).toBe(before);
    },
    3 * minutes,
  );
});

async function supervisorsOf(name: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await list("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const argv = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (argv.includes(`supervise\0--name\0${name}\0`)) found.push(Number(pid));
  }
  return found;
}
