import { describe, expect, it } from "@jest/globals";
import { enteringCgroup, parseCgroupMounts } from "./cgroups.ts";

const hybrid = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw`;
const joined = `33 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:14 - cgroup cgroup rw,cpu,cpuacct
34 25 0:30 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate`;
const pure =
  "30 24 0:27 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot";

describe("parseCgroupMounts", () => {
  it("on a hybrid machine finds cgroup v2 and the v1 hierarchies a machine needs", () => {
    expect(parseCgroupMounts(hybrid)).toEqual({
      unified: "/sys/fs/cgroup/unified",
      legacy: ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/systemd"],
    });
  });

  it("takes two controllers mounted together as one hierarchy", () => {
    expect(parseCgroupMounts(joined).legacy).toEqual(["/sys/fs/cgroup/cpu,cpuacct"]);
  });

  it("on pure cgroup v2 finds one directory", () => {
    expect(parseCgroupMounts(pure)).toEqual({ unified: "/sys/fs/cgroup", legacy: [] });
  });

  it("says so when there is no cgroup v2", () => {
    const v1 = hybrid.split("\n").slice(0, -1).join("\n");
    expect(() => parseCgroupMounts(v1)).toThrow(expect.objectContaining({ code: "WEFT-E007" }));
  });
});

it("enteringCgroup keeps the command's own arguments apart from the cgroups", () => {
  const argv = enteringCgroup(["/a", "/b"], ["prog", "--", "$HOME"]);
  expect(argv.slice(-6)).toEqual(["/a", "/b", "--", "prog", "--", "$HOME"]);
});
