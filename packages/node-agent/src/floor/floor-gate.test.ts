import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { DesiredState } from "@weft/shared/model/desired";
import { floorPath } from "@weft/shared/model/floor";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { FloorGate } from "./floor-gate.ts";

let host: FakeHost;
let owner: number;
let gate: FloorGate;
const desired: DesiredState = {
  ...sealed({
    ...emptyContent("web1"),
    dns: { zone: "example.com", mode: "file", upstreams: [], records: [] },
  }),
  generation: 1,
  revision: 1,
};

beforeEach(() => {
  host = new FakeHost();
  owner = 0;
  const { files } = host;
  gate = new FloorGate({
    readText: (path) => files.readText(path),
    info: async (path) => {
      const info = await files.info(path);
      return info === undefined ? undefined : { ...info, uid: owner };
    },
  });
});
afterEach(() => host.dispose());

const write = (lines: string, mode = 0o644) =>
  host.files.write(floorPath, `weft-floor: v1\n${lines}\n`, { mode });

describe("the way through a floor", () => {
  it("is the state itself where there is no floor", async () => {
    const { policy, rest, findings, report } = await gate.admit(desired);
    expect([policy, rest]).toEqual([desired, desired]);
    expect(policy).toBe(desired);
    expect([findings, report.state]).toEqual([[], "none"]);
  });

  it("keeps the digest of what was sent for the rules, and gives the rest one that changes with the floor", async () => {
    await write("dns: { zones: [mesh.internal] }");
    const { policy, rest, findings, report } = await gate.admit(desired);
    expect(policy).toMatchObject({ digest: desired.digest, dns: { mode: "off" } });
    expect(rest?.digest).not.toBe(desired.digest);
    expect(findings).toEqual([
      { code: "FLOOR_REFUSED", detail: "floor.yaml:2 refused zone example.com; no names are served" },
    ]);
    expect(report).toMatchObject({ state: "in-force", refusals: [{ line: 2 }] });
    expect((await gate.admit(desired)).policy).toBe(policy);
  });

  it("follows an edit without a restart, and says when the file is gone", async () => {
    await write("dns: { zones: [mesh.internal] }");
    await gate.admit(desired);
    await write("dns: { zones: [example.com] }");
    expect((await gate.admit(desired)).policy?.dns.mode).toBe("file");
    await host.files.remove(floorPath);
    const { policy, findings } = await gate.admit(desired);
    expect(policy?.dns.mode).toBe("file");
    expect(findings).toMatchObject([{ code: "FLOOR_GONE" }]);
  });

  it.each([
    ["that does not read", () => write("mdoe: enforce")],
    ["that others may write", () => write("mode: enforce", 0o664)],
    [
      "that is not root's",
      async () => {
        await write("mode: enforce");
        owner = 1000;
      },
    ],
    [
      "that is a link",
      async () => {
        await host.files.makeDirectory("/etc/weft", 0o755);
        await host.files.symlink("/tmp/elsewhere", floorPath);
      },
    ],
  ])("is shut by a file %s: what was let be stays, nothing new is taken", async (_what, spoil) => {
    await write("dns: { zones: [mesh.internal] }");
    const before = await gate.admit(desired);
    await host.files.remove(floorPath);
    await spoil();
    const { policy, rest, findings, report } = await gate.admit({ ...desired, generation: 2 });
    expect(policy).toBeUndefined();
    expect(rest).toBe(before.rest);
    expect(findings).toMatchObject([{ code: "FLOOR_BROKEN" }]);
    expect(report.state).toBe("broken");
  });

  it("is shut from the first look on, not open until the file is mended", async () => {
    await write("mdoe: enforce");
    const { policy, rest, findings } = await gate.admit(desired);
    expect([policy, rest]).toEqual([undefined, undefined]);
    expect(findings[0]?.detail).toContain('/etc/weft/floor.yaml:2:1: unknown key "mdoe"');
    await write("mode: enforce");
    expect((await gate.admit(desired)).policy).toBeDefined();
  });
});
