// The writer of policy files, with an agent that ends over what a real one ends over, refuses files, or begins anew in between.
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { PolicyDirectory } from "../../packages/node-agent/src/cilium/policy-directory.ts";
import { LinuxFiles } from "../../packages/node-agent/src/host/linux-files.ts";
import { AgentWorld, policyDirectory } from "../support/cilium/agent-world.ts";
import { policyOf } from "../support/cilium/policy-sample.ts";

let world: AgentWorld;
let writer: PolicyDirectory;
const writerOf = ({ host: { files }, clock, client }: AgentWorld) =>
  new PolicyDirectory({ files, clock, client, directory: policyDirectory });
beforeEach(async () => {
  world = new AgentWorld();
  writer = writerOf(world);
  await world.listen();
});
afterEach(() => world.dispose());

const [api, web, db] = [policyOf("api"), policyOf("web"), policyOf("db")];
const newApi = policyOf("api", 9090);
const there = () => world.host.files.list(policyDirectory);
const textOf = (name: string) => world.host.files.readText(`${policyDirectory}/${name}`);
const loadedPorts = (name: string) => JSON.stringify(world.engine.loaded.get(name));
const elapsed = async (work: () => Promise<unknown>) => {
  const before = world.clock.now().getTime();
  await work();
  return world.clock.now().getTime() - before;
};
/** The node agent after it has begun anew. */
const anew = () => {
  writer = writerOf(world);
};

describe("write", () => {
  it("loads, replaces and unloads, each change seen in the revision; the same again is not touched", async () => {
    expect(await writer.write([web, api])).toEqual({
      revision: 3,
      changed: [api.name, web.name],
      findings: [],
    });
    expect(await writer.write([newApi, web])).toEqual({ revision: 4, changed: [api.name], findings: [] });
    expect(loadedPorts(api.name)).toContain("9090");
    const before = await fs.stat(join(world.host.root, policyDirectory, api.name));
    anew();
    expect(await writer.write([newApi, web])).toEqual({ revision: 4, changed: [], findings: [] });
    expect((await fs.stat(join(world.host.root, policyDirectory, api.name))).ino).toBe(before.ino);
    expect(await writer.write([newApi])).toEqual({ revision: 5, changed: [web.name], findings: [] });
    expect([...world.engine.loaded.keys()]).toEqual([api.name]);
    expect(await there()).toEqual([api.name]);
  });

  it("waits for one change before it makes the next", async () => {
    world.engine.lagMs = 4_000;
    expect(await elapsed(() => writer.write([api, web]))).toBeGreaterThanOrEqual(8_000);
    expect(world.engine.loaded.size).toBe(2);
  });

  it("wrong files: refused as they are, and nothing is changed", async () => {
    const wrong = { ...web, text: web.text.replace('"8080"', '"99999"') };
    await expect(writer.write([api, wrong])).rejects.toMatchObject({ code: "WEFT-E405" });
    expect(await there()).toEqual([]);
  });

  it("nobody answers: nothing is changed", async () => {
    await world.agent.close();
    await expect(writer.write([api])).rejects.toMatchObject({ code: "WEFT-E007" });
    expect(await there()).toEqual([]);
  });

  it("never has a name in the directory that an agent would read too early", async () => {
    const opened: string[] = [];
    const files = new LinuxFiles(world.host.root, {
      open: (path, ...rest) => {
        opened.push(String(path));
        return fs.open(path, ...rest);
      },
      rename: fs.rename,
    });
    await files.write(`${policyDirectory}/${api.name}`, api.text);
    expect(opened.length).toBeGreaterThan(0);
    expect(opened.filter((path) => path.endsWith(".yaml"))).toEqual([]);
  });
});

describe("a change that does not show", () => {
  it("a file the agent refuses: a finding, the old version in force, and back before the next start", async () => {
    await writer.write([api, web]);
    world.engine.refuses = (text) => text.includes("9090");
    const { findings, changed } = await writer.write([newApi, web]);
    expect(changed).toEqual([api.name]);
    expect(findings).toMatchObject([{ check: "cilium-policy", standing: "trouble" }]);
    expect(findings[0]?.what).toContain("weft-api.yaml");
    expect(loadedPorts(api.name)).toContain("8080");
    // as it is, the agent would not start
    await world.agent.close();
    expect(await writer.quarantine([api.name, web.name])).toEqual({
      moved: [api.name],
      restored: [api.name],
      missing: [],
    });
    await world.agent.restart();
    await world.clock.sleep(5_000);
    world.engine.settle();
    expect(world.engine.ended).toBeUndefined();
    expect(loadedPorts(api.name)).toContain("8080");
  });

  it("does not keep other files from being loaded", async () => {
    world.engine.refuses = (text) => text.includes('"weft-api"');
    const { findings } = await writer.write([api, web]);
    expect(findings.length).toBe(1);
    expect([...world.engine.loaded.keys()]).toEqual([web.name]);
  });

  it("is made again, and shows when the agent takes it", async () => {
    world.engine.refuses = () => true;
    expect((await writer.write([api])).findings.length).toBe(1);
    world.engine.refuses = () => false;
    expect(await writer.write([api])).toMatchObject({ changed: [api.name], findings: [] });
    expect(await writer.quarantine([api.name])).toEqual({ moved: [], restored: [], missing: [] });
  });

  it("because the agent began anew: what it found was not this", async () => {
    await writer.write([api]);
    world.engine.lagMs = 5_000;
    world.clock.atSleep(5, async () => {
      await world.agent.close();
      await writerOf(world).quarantine([api.name]);
      // more files than before, so that the revision is higher, too
      for (const each of ["b", "c", "d"])
        await world.host.files.write(`${policyDirectory}/foreign-${each}.yaml`, policyOf(each).text);
      await world.agent.restart();
    });
    const work = writer.write([newApi]);
    expect((await work).findings[0]?.what).toContain("somebody changed it again");
    expect(await textOf(api.name)).toBe(api.text);
  });
});

describe("removing what was not seen loaded", () => {
  it("ends the agent when it is done at once (so that this test shows something)", async () => {
    world.engine.lagMs = 3_000;
    await world.host.files.write(`${policyDirectory}/${api.name}`, api.text);
    await world.host.files.remove(`${policyDirectory}/${api.name}`);
    await world.clock.sleep(3_000);
    world.engine.settle();
    expect(world.engine.ended).toContain("no such file");
  });

  it("waits, also after an abort in the middle and a node agent that began anew", async () => {
    world.engine.lagMs = 3_000;
    const abort = new AbortController();
    world.clock.atSleep(1, () => abort.abort());
    await expect(writer.write([api], abort.signal)).rejects.toThrow("abort");
    expect(await there()).toEqual([api.name]);
    anew();
    expect(await elapsed(() => writer.write([]))).toBeGreaterThanOrEqual(10_000);
    expect([world.engine.ended, world.engine.loaded.size]).toEqual([undefined, 0]);
    expect(await there()).toEqual([]);
  });

  it("waits as well when it was a removal that was cut off, with the process", async () => {
    await writer.write([api]);
    world.engine.lagMs = 3_000;
    const abort = new AbortController();
    world.clock.atSleep(1, () => abort.abort());
    await expect(writer.write([], abort.signal)).rejects.toThrow("abort");
    anew();
    world.engine.refuses = () => true;
    // else the late removal would be taken for this file's having been loaded
    expect((await writer.write([web])).findings.length).toBe(1);
  });

  it("a file of somebody else is taken aside, not lost", async () => {
    await world.host.files.write(`${policyDirectory}/open-door.yaml`, db.text);
    expect(await writer.write([api])).toMatchObject({ changed: [api.name, "open-door.yaml"], findings: [] });
    expect([...world.engine.loaded.keys()]).toEqual([api.name]);
    expect(await world.host.files.readText(`${policyDirectory}.aside/open-door.yaml`)).toBe(db.text);
  });
});

describe("quarantine", () => {
  it("makes the directory, without which an agent does not start; what was never loaded is missing", async () => {
    await fs.rm(join(world.host.root, policyDirectory), { recursive: true });
    expect(await writer.quarantine([api.name])).toEqual({ moved: [], restored: [], missing: [api.name] });
    expect((await world.host.files.info(policyDirectory))?.kind).toBe("directory");
  });

  it("leaves what is confirmed and wanted, and nothing else, whatever it is", async () => {
    await writer.write([api, web]);
    await world.agent.close();
    const files = world.host.files;
    await files.write(`${policyDirectory}/${db.name}`, "spec: 7");
    await files.write(`${policyDirectory}/${web.name}`, web.text.replace("8080", "1"));
    await files.write(`${policyDirectory}/old.yml`, "");
    await files.write(`${policyDirectory}/weft-api.yaml.weft-0123456789ab`, "half");
    await files.symlink("/etc/shadow", `${policyDirectory}/link.yaml`);
    await files.makeDirectory(`${policyDirectory}/directory.yaml`, 0o755);
    const { moved, restored, missing } = await writer.quarantine([api.name, web.name, db.name]);
    expect(new Set(moved)).toEqual(
      new Set([
        "directory.yaml",
        "link.yaml",
        "old.yml",
        "weft-api.yaml.weft-0123456789ab",
        "weft-db.yaml",
        "weft-web.yaml",
      ]),
    );
    expect([restored, missing]).toEqual([[web.name], [db.name]]);
    expect(await there()).toEqual([api.name, web.name]);
    await world.agent.restart();
    expect([...world.engine.loaded.keys()]).toEqual([api.name, web.name]);
    expect(await textOf(web.name)).toBe(web.text);
  });

  it("puts back what somebody removed, and leaves out what nobody wants", async () => {
    await writer.write([api, web]);
    await world.agent.close();
    await fs.rm(join(world.host.root, policyDirectory, api.name));
    expect(await writer.quarantine([api.name])).toEqual({
      moved: [web.name],
      restored: [api.name],
      missing: [],
    });
  });

  it("does not bring back what was removed in good order", async () => {
    await writer.write([api]);
    await writer.write([]);
    expect(await writer.quarantine([api.name])).toEqual({ moved: [], restored: [], missing: [api.name] });
  });
});
