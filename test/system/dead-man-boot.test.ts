// What a machine boots with when its policy files are damaged, in every way and combination; the early unit really runs
// at a boot, and the agent does not, until it is asked: so what boot loaded is what is seen.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openLab } from "../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../scripts/quickstart-src/artefacts.ts";
import { fleetEnforced, statusOf } from "../../scripts/quickstart-src/proofs/survival.ts";
import { must, textOf, until } from "../../scripts/quickstart-src/world.ts";
import { DeadManFleet, earlyPort, sshPort } from "../support/dead-man/fleet.ts";

const name = `boot-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };
const folder = "/var/lib/weft/policy";
let fleet: DeadManFleet;

const sh = (script: string) => fleet.sh("web1", script);
const answers = async (port: number) =>
  (
    await fleet.world.lab.exec("rogue", [
      "nc",
      "-z",
      "-w",
      "1",
      fleet.world.lab.address("web1"),
      String(port),
    ])
  ).code === 0;

/** Each leaves something that nft takes without a word, but for the empty file. */
const damages = {
  /** The last thing in a script is the revision: without it, and without the sets before it, nft takes the rest. */
  truncated: (file: string) =>
    `at=$(grep -n '^add element' ${file} | head -n 1 | cut -d: -f1); head -n $((at - 1)) ${file} > ${file}.cut
mv ${file}.cut ${file}; nft -c -f ${file}`,
  empty: (file: string) => `: > ${file}`,
  /** An address becomes another one. */
  "bit-flipped": (file: string) => `sed -i 's/10\\.77\\.0\\.10/10.77.0.11/' ${file}; nft -c -f ${file}`,
} as const;
type Damage = keyof typeof damages;

/** What boot loaded, by the kernel: the revision, or what stands in its place. */
async function boot(): Promise<{ rev: string; outcome: string; early: boolean; ssh: boolean }> {
  await fleet.world.lab.crash("web1");
  const rev = textOf(
    await fleet.world.lab.exec("web1", ["sh", "-c", "nft list set inet weft rev 2>&1; true"]),
  );
  return {
    rev: /digest=(\w+)/.exec(rev)?.[1] ?? /comment "([\w-]+)"/.exec(rev)?.[1] ?? "none",
    outcome: (await sh("cat /run/weft-restore/outcome")).trim(),
    early: await answers(earlyPort),
    ssh: await answers(sshPort),
  };
}

/** The agent puts everything right, and the condition stays to be read. */
async function mended(code: string | undefined): Promise<void> {
  await sh("systemctl start weft-node-agent");
  await fleetEnforced(fleet.world, ["hub", "web1"]);
  const conditions = async () => {
    await statusOf(fleet.world);
    const said: { nodes: { name: string; conditions: { code: string }[] }[] } = JSON.parse(
      await must(fleet.world, "hub", ["weft", "status", "--json"]),
    );
    const found = said.nodes.find((node) => node.name === "web1")?.conditions ?? [];
    return found.map((condition) => condition.code).filter((found) => found.startsWith("BOOTED_"));
  };
  const expected = code === undefined ? [] : [code];
  await until(`web1 says ${expected.join()}`, 20_000, async () =>
    String(await conditions()) === String(expected) ? true : undefined,
  );
  expect(await answers(earlyPort)).toBe(false);
  expect(await answers(sshPort)).toBe(true);
  // whole again, all of them
  await sh(`cd ${folder}; for file in confirmed guards-only; do
[ "$(head -n 1 $file.nft)" = "# sha256 $(tail -n +2 $file.nft | sha256sum | cut -d' ' -f1)" ] || exit 1; done`);
  await sh("systemctl restart weft-restore");
  await until("the condition is over", 20_000, async () =>
    (await conditions()).length === 0 ? true : undefined,
  );
  await sh("systemctl stop weft-node-agent");
}

const digestIn = async (file: string) =>
  /digest=(\w+)/.exec(await sh(`cat ${folder}/${file}.nft`))?.[1] ?? "";

beforeAll(async () => {
  await labUp(labNames(name), 0, progress);
  fleet = new DeadManFleet({ lab: openLab(name), artefacts: findArtefacts(), say: () => undefined }, [
    "web1",
  ]);
  await fleet.bringUp();
  await fleet.applied(fleet.good(8001));
  await sh("systemctl disable -q weft-node-agent; systemctl stop weft-node-agent");
}, 360_000);

afterAll(() => labDown(labNames(name), progress), 60_000);

describe("a boot", () => {
  it("loads the confirmed rules when they are whole", async () => {
    const digest = await digestIn("confirmed");
    expect(await boot()).toEqual({ rev: digest, outcome: "confirmed", early: false, ssh: true });
    await mended(undefined);
  }, 120_000);

  it.each(Object.keys(damages) as Damage[])(
    "with the confirmed file %s loads the rules before it, and says so",
    async (damage) => {
      await sh("systemctl start weft-node-agent");
      await fleet.applied(fleet.good(8100 + damage.length));
      await sh("systemctl stop weft-node-agent");
      const before = await digestIn("previous");
      await sh(damages[damage](`${folder}/confirmed.nft`));
      expect(await boot()).toEqual({ rev: before, outcome: "previous", early: false, ssh: true });
      await mended("BOOTED_PREVIOUS");
    },
    120_000,
  );

  it.each([
    ["truncated", "empty"],
    ["bit-flipped", "truncated"],
    ["empty", "bit-flipped"],
  ] as const)(
    "with one file %s and the other %s lets guard flows in, and nobody else",
    async (first, second) => {
      await sh(damages[first](`${folder}/confirmed.nft`));
      await sh(damages[second](`${folder}/previous.nft`));
      expect(await boot()).toEqual({ rev: "guards-only", outcome: "guards-only", early: false, ssh: true });
      await fleet.on(
        "web1",
        "weft-node-agent",
        "break-glass",
        "--from",
        "10.77.0.66",
        "--port",
        `${earlyPort}`,
      );
      expect(await answers(earlyPort)).toBe(true);
      await fleet.on("web1", "weft-node-agent", "break-glass", "--close");
      await mended("BOOTED_GUARDS_ONLY");
    },
    120_000,
  );

  it("with all three damaged loads none of them, and the agent puts it right without the coordinator", async () => {
    await sh(damages.truncated(`${folder}/confirmed.nft`));
    await sh(damages["bit-flipped"](`${folder}/previous.nft`));
    await sh(damages.truncated(`${folder}/guards-only.nft`));
    expect(await boot()).toEqual({ rev: "none", outcome: "nothing", early: true, ssh: true });
    await fleet.sh("hub", "systemctl stop weft-coordinator");
    await sh("systemctl start weft-node-agent");
    await until("closed again", 30_000, async () => ((await answers(earlyPort)) ? undefined : true));
    await fleet.sh("hub", "systemctl start weft-coordinator");
    await mended("BOOTED_OPEN");
  }, 120_000);

  it("stays open when the mesh file says so", async () => {
    await sh("systemctl start weft-node-agent");
    await fleet.applied(`${fleet.good(8200)}defaults: { boot: open }\n`);
    await until("there is no file for guards only", 20_000, async () =>
      (await sh(`ls ${folder}`)).includes("guards-only") ? undefined : true,
    );
    await sh("systemctl stop weft-node-agent");
    for (const file of ["confirmed", "previous"]) await sh(damages.empty(`${folder}/${file}.nft`));
    expect(await boot()).toEqual({ rev: "none", outcome: "nothing", early: true, ssh: true });
  }, 120_000);
});
