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
  expect(await ground()).toEqual({ device: "ens3", mtu: 1400, compiler: "/usr/bin/clang-18" });
  expect(host.exec.calls).toEqual(["ip -json -4 address show to 10.77.0.12/32"]);
});

it.each(programs)("says that %s is missing", async (path) => {
  await host.files.remove(path);
  expect(await ground()).toBe(`${path} is not there`);
});

describe("the compiler", () => {
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
