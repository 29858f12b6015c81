// What Cilium refuses and lets pass at endpoints of a real agent: `denials`, `flows` and the replay of `plan` have it in the same words
// as what nftables counts. Needs WEFT_CILIUM_DIR, a directory with cilium-agent, cilium-dbg, cilium-health-responder and bpf/.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openLab } from "../../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../../scripts/lab-src/names.ts";
import { findArtefacts } from "../../../scripts/quickstart-src/artefacts.ts";
import { applyMesh } from "../../../scripts/quickstart-src/bring-up.ts";
import { must, until, type World } from "../../../scripts/quickstart-src/world.ts";
import { answersSince, bringUpForCilium, meshText, now, reaches } from "../../support/cilium/cilium-mesh.ts";
import { endpointsOf } from "../../support/cilium/quickstart-world.ts";

const directory = process.env["WEFT_CILIUM_DIR"];
const minutes = 60_000;
const name = `co-${process.pid}`;
const progress = { line: () => undefined, now: () => performance.now() };
const world: World = { lab: openLab(name), artefacts: findArtefacts(), say: () => undefined };
const described = directory === undefined ? describe.skip : describe;
let endpoint: { readonly web: string; readonly api: string };

/** Lines of a table, each with single spaces. */
async function lines(...command: readonly string[]): Promise<string[]> {
  const text = await must(world, "hub", ["weft", ...command]);
  return text.split("\n").map((line) => line.replaceAll(/\s+/g, " "));
}

async function says(what: string, expected: RegExp): Promise<string> {
  let seen: string[] = [];
  return until(`weft ${what}: ${expected.source}`, 20_000, async () => {
    seen = await lines(what);
    const found = seen.find((line) => expected.test(line));
    if (found === undefined) throw new Error(seen.join("\n"));
    return found;
  });
}

described("what is observed at endpoints (needs WEFT_CILIUM_DIR)", () => {
  beforeAll(async () => {
    await labUp(labNames(name), 0, progress, "cilium");
    await bringUpForCilium(world, directory ?? "");
    await applyMesh(world, meshText("cilium"), "to Cilium");
    endpoint = await endpointsOf(world);
    await answersSince(world, "web1", "web", await now(world, "web1"));
    await answersSince(world, "hub", "old", await now(world, "hub"));
  }, 10 * minutes);
  afterAll(() => labDown(labNames(name), progress), 2 * minutes);

  it(
    "has who was let in, by which kernels and agents",
    async () => {
      // connections that stand are older than the memory: new ones
      await must(world, "web1", ["systemctl", "restart", "web"]);
      await must(world, "hub", ["systemctl", "restart", "old"]);
      await says("flows", /^web on web1 api on api1 http 8080\/tcp \d+ .* ago Cilium at web1 and api1$/);
      await says(
        "flows",
        /^old on hub api on api1 http 8080\/tcp \d+ .* ago kernel of hub.* and Cilium at api1$/,
      );
    },
    minutes,
  );

  it(
    "has who was refused between endpoints, and the line that would allow it",
    async () => {
      expect(await reaches(world, "api1", "api", endpoint.web, 8080)).toBe(false);
      await says(
        "denials",
        /^api on api1 web on web1 http 8080\/tcp \d+ .* ago default - \{ name: api-to-web, from: \[api\], to: web, ports: \[http\] \}$/,
      );
    },
    minutes,
  );

  it(
    "has a process of a machine that Cilium refuses, and a port that nobody declares",
    async () => {
      expect(await reaches(world, "web1", "web", endpoint.api, 8081)).toBe(false);
      await says("denials", /^web on web1 api on api1 8081\/tcp \d+ .* ago default -$/);
      await must(world, "hub", ["ip", "route", "replace", "10.42.12.0/24", "via", "10.77.0.12"]);
      expect(await reaches(world, "hub", undefined, endpoint.api, 8083)).toBe(false);
      await says("denials", /^(?:node hub|user root on hub) api on api1 8083\/tcp /);
    },
    minutes,
  );

  it(
    "has a source that is not the endpoint's own",
    async () => {
      await must(world, "web1", ["ip", "-n", "weft-web", "addr", "add", "10.42.11.250/32", "dev", "eth0"]);
      const argv = ["nsenter", "--net=/run/netns/weft-web", "nc", "-z", "-w", "1", "-s"] as const;
      await world.lab.exec("web1", [...argv, "10.42.11.250", endpoint.api, "8080"]);
      await must(world, "web1", ["ip", "-n", "weft-web", "addr", "del", "10.42.11.250/32", "dev", "eth0"]);
      await says("denials", /^web on web1 .* its source address, which is not the endpoint's -$/);
    },
    minutes,
  );

  it("foretells which connection of an endpoint a change would refuse", async () => {
    await world.lab.writeFile("hub", "/root/less.yaml", meshText("cilium", [["old", "api"]]), 0o644);
    const { stdout } = await world.lab.exec("hub", ["weft", "plan", "/root/less.yaml"]);
    expect(stdout).toMatch(/web on web1 -> api:8080\/tcp .*would be REFUSED/);
  });

  it(
    "goes on after the agent of Cilium was killed, and says what it may have missed",
    async () => {
      await must(world, "api1", ["systemctl", "kill", "-s", "KILL", "weft-cilium"]);
      await says("denials", /^api1: what Cilium did .*UNKNOWN$/);
      await until("it listens again", minutes, async () => {
        await reaches(world, "web1", "web", endpoint.api, 8082);
        return (
          (await lines("denials")).some((line) => /^web on web1 api on api1 8082\/tcp /.test(line)) ||
          undefined
        );
      });
    },
    2 * minutes,
  );
});
