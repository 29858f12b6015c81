// What doctor says of a machine, and its exit code.
import { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { writeDesired } from "../link/desired-store.ts";
import { unitNames } from "../state/places.ts";
import { examine, runDoctor } from "./doctor.ts";

const trap = [
  { table: { family: "inet", name: "trap" } },
  {
    chain: {
      family: "inet",
      table: "trap",
      name: "out",
      type: "filter",
      hook: "output",
      prio: 5,
      policy: "drop",
    },
  },
];
const systemd =
  "UnitFileState=enabled\nActiveState=active\nAfter=nftables.service\nBefore=network-pre.target\nPartOf=nftables.service\n";

let host: FakeHost;
let others: readonly object[];

beforeEach(async () => {
  host = new FakeHost();
  others = [];
  host.exec.programs.set("nft", (args) => {
    if (args[0] === "--version") return { stdout: "nftables v1.0.6 (Lester Gooch #5)\n" };
    if (args.includes("ruleset")) return { stdout: JSON.stringify({ nftables: others }) };
    return { code: 1, stderr: "Error: No such file or directory" };
  });
  host.exec.programs.set("systemctl", (args) =>
    args.includes(unitNames.restore) ? { stdout: systemd } : { stdout: "UnitFileState=disabled\n" },
  );
  host.exec.programs.set("ss", () => ({}));
  host.units.states.set(unitNames.agent, { active: "active", enabled: true, exists: true });
  await writeDesired(host.files, { ...sealed(emptyContent("web1")), generation: 1, revision: 1 });
});
afterEach(() => host.dispose());

const troubles = async () =>
  (await examine(host)).filter(({ standing }) => standing === "trouble").map(({ what }) => what);

describe("doctor", () => {
  it("names what is missing, each with a reason and something to do", async () => {
    const findings = await examine(host);
    const bad = findings.filter(({ standing }) => standing !== "good");
    expect(bad.map(({ what }) => what)).toEqual([
      "no policy was confirmed on this machine yet",
      "conntrack is not installed",
      "there is no table inet weft-witness",
    ]);
    expect(bad.filter(({ why, todo }) => why === "" || todo === "")).toEqual([]);
    expect(findings.filter(({ standing }) => standing === "good").map(({ check }) => check)).toEqual([
      "agent",
      "boot",
      "nft",
      "programs",
      "users",
      "beside",
    ]);
  });

  it("has trouble with rules of others that refuse the agent's own link", async () => {
    others = trap;
    expect(await troubles()).toContain(
      "table inet trap, chain out refuses the agent's own link to the coordinator (10.77.0.10)",
    );
  });

  it("goes on when one check cannot be made", async () => {
    host.exec.programs.delete("systemctl");
    expect(await troubles()).toContain("this could not be looked at");
    expect(await troubles()).toContain("conntrack is not installed");
  });

  it("needs root, and a machine that has joined", async () => {
    const context = {
      host,
      terminal: {
        out: () => {},
        err: () => {},
        input: Readable.from([]),
        questions: new Writable(),
        interactive: false,
      },
      version: "1",
      signal: new AbortController().signal,
    };
    await expect(runDoctor({ ...context, isRoot: false }, false)).rejects.toMatchObject({
      code: "WEFT-E006",
    });
    await expect(runDoctor({ ...context, isRoot: true }, false)).rejects.toMatchObject({ code: "WEFT-E001" });
  });
});
