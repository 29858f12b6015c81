import { describe, expect, it } from "@jest/globals";
import { enforcementVerdict } from "../decide/enforcement.ts";
import { parseBpfProbe } from "./bpf-probe.ts";
import {
  parseIpAddr,
  parseMemoryBytes,
  parseMountTypes,
  parseNftVersion,
  parseOsRelease,
  parseSystemdVersion,
} from "./parse-system.ts";

describe("system files and programs", () => {
  it("are read for the one thing that is asked", () => {
    expect(parseOsRelease('NAME="x"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')).toBe(
      "Debian GNU/Linux 12 (bookworm)",
    );
    expect(parseSystemdVersion("systemd 252 (252.39-1~deb12u1)\n+PAM")).toBe("252");
    expect(parseNftVersion("nftables v1.0.6 (Lester Gooch #5)\n")).toBe("1.0.6");
    expect(parseMemoryBytes("MemTotal:       2048 kB\nMemFree: 1 kB\n")).toBe(2 * 1024 * 1024);
  });

  it("are empty where they say something else", () => {
    expect([parseOsRelease(""), parseSystemdVersion("busybox"), parseNftVersion("")]).toEqual(["", "", ""]);
    expect(parseMemoryBytes("")).toBe(0);
  });

  it("tell what is mounted where", () => {
    const mounts = parseMountTypes("29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n\n");
    expect(mounts.get("/sys/fs/cgroup")).toBe("cgroup2");
  });

  it("list links with their addresses", () => {
    const json = JSON.stringify([
      {
        ifname: "eth0",
        address: "02:00",
        mtu: 1400,
        flags: ["UP"],
        addr_info: [{ local: "10.0.0.1", prefixlen: 24 }],
      },
      { ifname: "down0" },
      {},
    ]);
    expect(parseIpAddr(json)).toEqual([
      { name: "eth0", mac: "02:00", addresses: ["10.0.0.1/24"], up: true, mtu: 1400 },
      { name: "down0", mac: "", addresses: [], up: false, mtu: 0 },
    ]);
  });

  it("say which BPF program types load, and why others do not", () => {
    expect(parseBpfProbe("xdp yes\nsk_msg no Operation not permitted (errno 1)\n\n")).toEqual([
      { name: "xdp", loads: true, why: "" },
      { name: "sk_msg", loads: false, why: "Operation not permitted (errno 1)" },
    ]);
  });
});

describe("enforcementVerdict", () => {
  it.each([
    ["", "6.1.0", /^nftables: no.*not installed/],
    ["1.0.6", "4.19.0-26-amd64", /^nftables: no.*older than 5\.7/],
    ["1.0.6", "5.10.0-8", /^nftables: yes/],
  ])("nft %p on kernel %s", (nft, kernel, verdict) => {
    expect(enforcementVerdict({ nft, kernel })).toMatch(verdict);
  });
});
