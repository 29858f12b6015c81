import { execFileSync } from "node:child_process";
import { renameSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { EndpointMachine } from "../../../../test/support/cilium/endpoint-machine.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { machineGround } from "./machine-ground.ts";

const programs = ["cilium-agent", "cilium-dbg", "bpf"].map((name) => `/opt/weft/cilium/${name}`);

let host: FakeHost;
let machine: EndpointMachine;
const ground = () => machineGround(host, "10.77.0.12");
const compilers = async (...names: string[]) => {
  await host.files.removeTree("/usr/bin");
  for (const name of names) await host.files.write(`/usr/bin/${name}`, "");
};

beforeEach(async () => {
  host = new FakeHost();
  machine = new EndpointMachine(host);
  for (const path of programs) await host.files.write(path, "");
  await compilers("clang-18");
});
afterEach(() => host.dispose());

it("is the link with the node's address, its MTU, and a compiler", async () => {
  machine.nodeLink = { ifname: "ens3", mtu: 1400 };
  expect(await ground()).toEqual({
    device: "ens3",
    mtu: 1400,
    compiler: "/usr/bin/clang-18",
    programs: expect.stringMatching(/^cilium-agent 0 \d+\ncilium-dbg 0 \d+\nbpf 0 \d+\n$/),
  });
  expect(host.exec.calls).toEqual(["ip -json -4 address show to 10.77.0.12/32"]);
});

it.each(programs)("says that %s is missing", async (path) => {
  await host.files.remove(path);
  expect(await ground()).toBe(`${path} is not there`);
});

describe("the programs", () => {
  const identity = async () => {
    const found = await ground();
    return typeof found === "string" ? found : found.programs;
  };
  const [agent = ""] = programs;
  const at = new Date("2026-05-28T00:00:00Z");

  beforeEach(() => {
    for (const path of programs) utimesSync(join(host.root, path), at, at);
  });

  it("are the same as long as nothing is written", async () => {
    expect(await identity()).toBe(await identity());
  });

  it.each(programs)("are others when %s was written anew", async (path) => {
    const before = await identity();
    utimesSync(join(host.root, path), at, new Date(at.getTime() + 1));
    expect(await identity()).not.toBe(before);
  });

  it("are others when one is bigger, of the same time", async () => {
    const before = await identity();
    await host.files.write(agent, "more");
    utimesSync(join(host.root, agent), at, at);
    expect(await identity()).not.toBe(before);
  });

  it("are the same in a copy that is made of links, as that of a new release of Weft", async () => {
    await host.files.removeTree("/opt/weft/cilium/bpf");
    await host.files.write("/opt/weft/cilium/bpf/lib/common.h", "");
    const before = await identity();
    const folder = join(host.root, "/opt/weft/cilium");
    execFileSync("cp", ["-al", folder, `${folder}.copy`]);
    rmSync(folder, { recursive: true });
    renameSync(`${folder}.copy`, folder);
    expect(await identity()).toBe(before);
  });
});

describe("the compiler", () => {
  it("is the one that came with the programs, before any other", async () => {
    await host.files.write("/opt/weft/cilium/bin/clang", "");
    await compilers("clang-100");
    expect(await ground()).toMatchObject({ compiler: "/opt/weft/cilium/bin/clang" });
  });

  it.each<[string, string[], string]>([
    [
      "the newest of those with a version, by number",
      ["clang-9", "clang-18", "clang-19", "clang-100"],
      "clang-100",
    ],
    ["before clang itself", ["clang", "clang-18"], "clang-18"],
    ["clang itself, where those with a version are too old", ["clang", "clang-17"], "clang"],
    ["not what is only named like one", ["clang", "clang-19-tidy", "clang-cpp-19", "xclang-19"], "clang"],
  ])("%s", async (_, names, compiler) => {
    await compilers(...names);
    expect(await ground()).toMatchObject({ compiler: `/usr/bin/${compiler}` });
  });

  it.each<[string, string[]]>([
    ["none", []],
    ["one that is too old", ["clang-17"]],
  ])("is missing: %s", async (_, names) => {
    await compilers(...names);
    expect(await ground()).toMatch(/^no clang 18 or newer in \/usr\/bin/);
  });
});

it("says that no link has the node's address", async () => {
  machine.nodeLink = undefined;
  expect(await ground()).toBe("no link has the address 10.77.0.12");
});
