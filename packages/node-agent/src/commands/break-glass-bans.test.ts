import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { writeDesired } from "../link/desired-store.ts";
import { runBreakGlass } from "./break-glass.ts";
import type { CommandContext } from "./context.ts";

let host: FakeHost;
let loaded: string;
const wish = { from: [], ports: [], seconds: 60, close: false };

beforeEach(async () => {
  host = new FakeHost();
  loaded = "";
  host.exec.programs.set("nft", (args, options) => {
    if (args[0] === "list") return { stdout: "ip saddr @glass_from4 accept" };
    loaded = options.input ?? loaded;
    return {};
  });
  const base = emptyContent("web1");
  const guard = { ...base.policy.guard, admin: ["192.0.2.0/29"], banned: ["192.0.2.3"] };
  const content = sealed({ ...base, policy: { ...base.policy, guard } });
  await writeDesired(host.files, { ...content, generation: 1, revision: 1 });
});
afterEach(() => host.dispose());

const run = (from: readonly string[]) =>
  runBreakGlass({ host, terminal: { out: () => undefined }, isRoot: true } as unknown as CommandContext, {
    ...wish,
    from,
  });

describe("break-glass and bans", () => {
  it("lets in the admin ranges less the banned", async () => {
    await run([]);
    const elements = /element inet weft glass_from4 \{ (.*) \}/.exec(loaded)?.[1];
    expect(elements).toBe(
      ["192.0.2.0/31", "192.0.2.2", "192.0.2.4/30"].map((block) => `${block} timeout 60s`).join(", "),
    );
  });

  it("and whom root names, banned or not", async () => {
    await run(["192.0.2.3"]);
    expect(loaded).toContain("glass_from4 { 192.0.2.3 timeout 60s }");
  });
});
