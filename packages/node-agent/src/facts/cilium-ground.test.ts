import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { attemptInto } from "./attempt.ts";
import { readCiliumGround } from "./cilium-ground.ts";

const head =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
/** @param place like "0100007F:2697" */
const socket = (place: string, state: "0A" | "07" | "01", uid = 0) =>
  `   0: ${place} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000   ${uid}        0 1 1\n`;
const config = (...lines: string[]) => ["# Linux/x86 6.1.0", "CONFIG_BPF=y", ...lines, ""].join("\n");

let host: FakeHost;
let trouble: string[];

const put = (path: string, content: string | Uint8Array = "x") => host.files.write(path, content);
const read = (mounts: [string, string][] = []) =>
  readCiliumGround({ host, kernel: "6.1.0", mounts: new Map(mounts), attempt: attemptInto(trouble) });
const optionValue = async (name: string) =>
  (await read()).kernelOptions.find((option) => option.name === name)?.value;

beforeEach(async () => {
  host = new FakeHost();
  trouble = [];
  await put("/proc/net/tcp", head);
  await put("/proc/net/udp", head);
  await put("/boot/config-6.1.0", config("CONFIG_VXLAN=m", "# CONFIG_IP_SET is not set"));
});
afterEach(() => host.dispose());

describe("the kernel's options", () => {
  it("are those of /proc/config.gz, where there is one", async () => {
    await put("/proc/config.gz", gzipSync(config("CONFIG_VXLAN=y")));
    expect(await read()).toMatchObject({ kernelConfig: "/proc/config.gz", loadsModules: false });
    expect(await optionValue("VXLAN")).toBe("y");
  });

  it("else those of /boot; what is not mentioned is not set", async () => {
    expect((await read()).kernelConfig).toBe("/boot/config-6.1.0");
    expect([
      await optionValue("BPF"),
      await optionValue("VXLAN"),
      await optionValue("IP_SET"),
      await optionValue("VETH"),
    ]).toEqual(["y", "m", "n", "n"]);
    expect(trouble).toEqual([]);
  });

  it.each([
    ["neither file is there", async () => host.files.remove("/boot/config-6.1.0")],
    ["it is cut short", async () => put("/proc/config.gz", gzipSync(config()).subarray(0, 30))],
    ["it is something else", async () => put("/boot/config-6.1.0", "<html>CONFIG_BPF=y</html>")],
    [
      "it is a bomb",
      async () => put("/proc/config.gz", gzipSync(Buffer.alloc(8 * 1024 * 1024, "CONFIG_A=y\n"))),
    ],
  ])("are not known, and that is said, if %s", async (_case, spoil) => {
    await spoil();
    expect(await read()).toMatchObject({ kernelConfig: "", kernelOptions: [] });
    expect(trouble).toEqual([expect.stringMatching(/^kernel options: /)]);
  });

  it("that are modules can be had with modprobe, and if they came with the kernel's package or are seen", async () => {
    expect((await read()).loadsModules).toBe(false);
    await put("/usr/sbin/modprobe");
    expect((await read()).loadsModules).toBe(true);
    await put("/proc/config.gz", gzipSync(config("CONFIG_VXLAN=m")));
    expect((await read()).loadsModules).toBe(false);
    await put("/lib/modules/6.1.0/modules.dep");
    expect((await read()).loadsModules).toBe(true);
  });
});

describe("tools", () => {
  const toolNames = async () => (await read()).tools.map(({ name }) => name);
  const targets =
    "  Registered Targets:\n    aarch64    - AArch64\n    bpf        - BPF (host endian)\n    bpfeb      - BPF\n";
  const clang =
    (version: string, prints = targets) =>
    (args: readonly string[]) => ({
      stdout:
        args[0] === "--version" ? `Debian clang version ${version} (1~deb12u1)\nTarget: x86_64` : prints,
    });

  it("are listed if they are there, and only clang and iptables are started", async () => {
    expect(await toolNames()).toEqual([]);
    for (const path of ["/usr/sbin/iptables", "/usr/sbin/ipset", "/sbin/ip", "/usr/bin/mount"])
      await put(path);
    host.exec.programs.set("/usr/sbin/iptables", () => ({ stdout: "iptables v1.8.9 (nf_tables)\n" }));
    expect((await read()).tools).toEqual([
      { name: "iptables", path: "/usr/sbin/iptables", version: "1.8.9", form: "nf_tables" },
      { name: "ipset", path: "/usr/sbin/ipset", version: "", form: "" },
      { name: "ip", path: "/sbin/ip", version: "", form: "" },
      { name: "mount", path: "/usr/bin/mount", version: "", form: "" },
    ]);
    expect(new Set(host.exec.calls)).toEqual(new Set(["/usr/sbin/iptables --version"]));
  });

  it("the newest clang is taken, with two programs started", async () => {
    for (const name of ["clang", "clang-14", "clang-9", "clang-19"]) await put(`/usr/bin/${name}`);
    host.exec.programs.set("/usr/bin/clang-19", clang("19.1.4"));
    expect((await read()).tools).toEqual([
      { name: "clang", path: "/usr/bin/clang-19", version: "19.1.4", form: "bpf" },
    ]);
    expect(host.exec.calls).toEqual(["/usr/bin/clang-19 --version", "/usr/bin/clang-19 --print-targets"]);
  });

  it("the clang that came with Cilium's programs is taken before any other", async () => {
    const own = "/opt/weft/cilium/bin/clang";
    for (const path of [own, "/usr/bin/clang-20"]) await put(path);
    host.exec.programs.set(own, clang("19.1.7"));
    expect((await read()).tools).toEqual([{ name: "clang", path: own, version: "19.1.7", form: "bpf" }]);
  });

  it("of clangs that are all too old, the newest is told", async () => {
    for (const name of ["clang", "clang-11"]) await put(`/usr/bin/${name}`);
    host.exec.programs.set("/usr/bin/clang-11", clang("11.0.1"));
    host.exec.programs.set("/usr/bin/clang", clang("14.0.6"));
    expect((await read()).tools).toEqual([
      { name: "clang", path: "/usr/bin/clang", version: "14.0.6", form: "" },
    ]);
  });

  it("a clang without the target is told as such", async () => {
    await put("/usr/bin/clang");
    host.exec.programs.set(
      "/usr/bin/clang",
      clang("18.1.8", "    x86-64     - 64-bit X86\n    bpfeb - BPF\n"),
    );
    expect((await read()).tools).toMatchObject([{ version: "18.1.8", form: "" }]);
  });

  it("one that fails is trouble, and there, without a version", async () => {
    for (const path of ["/usr/bin/clang", "/usr/sbin/iptables", "/usr/sbin/ipset"]) await put(path);
    host.exec.programs.set("/usr/bin/clang", () => ({ code: 127, stderr: "no libLLVM.so" }));
    host.exec.programs.set("/usr/sbin/iptables", () => ({ code: 1 }));
    expect((await read()).tools).toEqual([
      { name: "clang", path: "/usr/bin/clang", version: "", form: "" },
      { name: "iptables", path: "/usr/sbin/iptables", version: "", form: "" },
      { name: "ipset", path: "/usr/sbin/ipset", version: "", form: "" },
    ]);
    expect(trouble).toEqual([expect.stringMatching(/^clang: .*/), expect.stringMatching(/^iptables: /)]);
  });
});

describe("ports", () => {
  const holders = async () =>
    Object.fromEntries((await read()).ports.map(({ port, holder }) => [port, holder] as const));

  it("are free where nobody listens", async () => {
    await put("/proc/net/tcp", head + socket("0100007F:2697", "01"));
    expect(await holders()).toEqual({ 4240: "", 8472: "", 9879: "", 9890: "", 9962: "" });
  });

  it("are held by who listens on an address that is needed, of either family", async () => {
    await put("/proc/net/tcp", head + socket("0100007F:2697", "0A", 998) + socket("00000000:1090", "0A"));
    await put("/proc/net/tcp6", head + socket("00000000000000000000000000000000:26EA", "0A"));
    await put("/proc/net/udp", head + socket("0C004D0A:2118", "07"));
    expect(await holders()).toEqual({
      4240: "a process of uid 0 on 0.0.0.0",
      8472: "a process of uid 0 on 10.77.0.12",
      9879: "a process of uid 998 on 127.0.0.1",
      9890: "",
      9962: "a process of uid 0 on ::",
    });
  });

  it("are free if who listens is on another address than is needed", async () => {
    const health = socket("0100007F:1090", "0A");
    await put("/proc/net/tcp", head + health + socket("0C004D0A:2697", "0A"));
    await put("/proc/net/tcp6", head + socket("00000000000000000000000001000000:1090", "0A"));
    expect(await holders()).toMatchObject({ 4240: "", 9879: "" });
  });

  it("that are needed on every address are held by who listens on any", async () => {
    await put("/proc/net/udp", head + socket("0100007F:2118", "07"));
    expect(await holders()).toMatchObject({ 8472: "a process of uid 0 on 127.0.0.1" });
  });

  it("are held by nobody else while Weft's own agent of Cilium runs", async () => {
    await put("/proc/net/tcp", head + socket("0100007F:2697", "0A"));
    host.units.states.set("weft-cilium.service", { active: "active", enabled: true, exists: true });
    expect(await holders()).toEqual({ 4240: "", 8472: "", 9879: "", 9890: "", 9962: "" });
    host.units.states.set("weft-cilium.service", { active: "inactive", enabled: false, exists: true });
    expect(await holders()).toMatchObject({ 9879: "a process of uid 0 on 127.0.0.1" });
  });

  it("are not known, and that is said, where the kernel does not tell", async () => {
    await host.files.remove("/proc/net/udp");
    expect(await holders()).toEqual({});
    expect(trouble).toEqual([expect.stringMatching(/^ports: /)]);
  });
});

describe("cgroup2", () => {
  it.each<readonly [string, [string, string][]]>([
    ["", []],
    ["/sys/fs/cgroup", [["/sys/fs/cgroup", "cgroup2"]]],
    [
      "/sys/fs/cgroup/unified",
      [
        ["/sys/fs/cgroup", "tmpfs"],
        ["/sys/fs/cgroup/unified", "cgroup2"],
      ],
    ],
    // of a container
    ["", [["/var/lib/machines/a/sys/fs/cgroup", "cgroup2"]]],
  ])("is at %p", async (place, mounts) => {
    expect((await read(mounts)).cgroup2At).toBe(place);
  });
});
