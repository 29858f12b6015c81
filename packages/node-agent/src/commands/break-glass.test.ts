import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { floorPath } from "@weft/shared/model/floor";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { writeDesired } from "../link/desired-store.ts";
import { runBreakGlass } from "./break-glass.ts";
import type { CommandContext } from "./context.ts";

let host: FakeHost;
let lines: string[];
const wish = { from: [], ports: [], seconds: 60, close: false };

beforeEach(async () => {
  host = new FakeHost();
  lines = [];
  host.exec.programs.set("nft", () => ({ stdout: "@glass_from4" }));
  const { policy, ...content } = emptyContent("web1");
  const guard = {
    ...policy.guard,
    admin: ["0.0.0.0/0"],
    ports: [{ protocol: "tcp" as const, from: 22, to: 22 }],
  };
  const state = sealed({ ...content, policy: { ...policy, guard } });
  await writeDesired(host.files, { ...state, generation: 1, revision: 1 });
});
afterEach(() => host.dispose());

/** Files of a test belong to whoever runs it. */
function context(): CommandContext {
  const { files } = host;
  const terminal = { out: (line: string) => void lines.push(line), err: () => {} };
  const rooted = Object.create(files, {
    info: {
      value: async (path: string) => {
        const info = await files.info(path);
        return info === undefined ? undefined : { ...info, uid: 0 };
      },
    },
    readText: { value: (path: string) => files.readText(path) },
  });
  return {
    host: { ...host, exec: host.exec, clock: host.clock, files: rooted },
    terminal,
    isRoot: true,
  } as unknown as CommandContext;
}

describe("break-glass without names", () => {
  it("opens to the mesh file's admin ranges", async () => {
    await runBreakGlass(context(), wish);
    expect(lines[0]).toBe("open to 0.0.0.0/0: 22/tcp, whatever the policy says");
  });

  it("opens no further than the machine's floor lets a coordinator go", async () => {
    const floor =
      "weft-floor: v1\nguard: { admin: [192.0.2.0/28], ports: [22/tcp], atMost: { admin: [192.0.2.0/24] } }\n";
    await host.files.write(floorPath, floor);
    await runBreakGlass(context(), wish);
    expect(lines[0]).toBe("open to 192.0.2.0/24: 22/tcp, whatever the policy says");
  });

  it("opens to nobody by itself when the floor is broken", async () => {
    await host.files.write(floorPath, "nothing\n");
    await expect(runBreakGlass(context(), wish)).rejects.toMatchObject({ code: "WEFT-E001" });
    await runBreakGlass(context(), { ...wish, from: ["192.0.2.7"] });
    expect(lines[0]).toContain("open to 192.0.2.7: 22/tcp");
  });
});
