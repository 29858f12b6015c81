// Joining and coming back, over real TLS on loopback: who is believed, who gets in, and what a crash leaves.
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { readEnrolment } from "../../packages/node-agent/src/enrol/enrolment.ts";
import { type JoinOrder, join } from "../../packages/node-agent/src/enrol/join.ts";
import { readNodeSvid } from "../../packages/node-agent/src/enrol/node-svid.ts";
import { reEnter } from "../../packages/node-agent/src/enrol/re-enter.ts";
import type { FileContent } from "../../packages/node-agent/src/host/host.ts";
import { LinuxFiles } from "../../packages/node-agent/src/host/linux-files.ts";
import { places } from "../../packages/node-agent/src/state/places.ts";
import { FakeCoordinator } from "../support/fake-coordinator.ts";
import { FakeHost } from "../support/fake-host.ts";

const secret = "A".repeat(32);
const token = `web1.${secret}`;

/** Dies (throws) right before or after the file at its path is written for the first time. */
class CrashingFiles extends LinuxFiles {
  crashAt: { readonly path: string; readonly when: "before" | "after" } | undefined;

  override async write(path: string, content: FileContent, options?: { mode?: number }): Promise<void> {
    const crash = this.crashAt?.path === path ? this.crashAt.when : undefined;
    if (crash === "before") throw new Error("power failure");
    await super.write(path, content, options);
    if (crash === "after") throw new Error("power failure");
  }
}

let coordinator: FakeCoordinator;
let hosts: FakeHost[];
let files: CrashingFiles;

function makeHost(): FakeHost {
  const host = new FakeHost((root) => {
    files = new CrashingFiles(root);
    return files;
  });
  host.clock.advance(Date.now() - host.clock.now().getTime());
  hosts.push(host);
  return host;
}

const order = (changes: Partial<JoinOrder> = {}): JoinOrder => ({
  coordinator: { address: "127.0.0.1", port: coordinator.enrolmentPort },
  pin: coordinator.pin,
  token: async () => token,
  agentVersion: "1",
  bootId: "boot",
  ...changes,
});

beforeEach(async () => {
  hosts = [];
  coordinator = new FakeCoordinator();
  coordinator.tokens.set(token, { node: "web1", expires: new Date(Date.now() + 60_000) });
  await coordinator.start();
});

afterEach(() => {
  coordinator.stop();
  for (const host of hosts) host.dispose();
});

describe("join", () => {
  it("leaves an enrolled machine: keys 0600, an SVID for its own key, the root key for life", async () => {
    const host = makeHost();
    const outcome = await join(host, order(), () => {});
    expect(outcome).toMatchObject({ kind: "joined", enrolment: { node: "web1", trustDomain: "mesh.test" } });
    for (const path of [places.enrolmentKey, places.nodeSvid, places.enrolment, places.bundle])
      expect((await host.files.info(path))?.mode).toBe(0o600);
    expect((await readNodeSvid(host.files))?.chainPem).toContain("BEGIN CERTIFICATE");
    expect(await host.files.info(places.pendingRequest)).toBeUndefined();
  });

  it("sends no token to a coordinator with another pin", async () => {
    const wrong = `sha256:${"0".repeat(64)}`;
    await expect(join(makeHost(), order({ pin: wrong }), () => {})).rejects.toMatchObject({
      code: "WEFT-E200",
    });
    expect(coordinator.joinRequests).toHaveLength(0);
  });

  it("sends no token to a server of the right mesh that is not the coordinator", async () => {
    coordinator.stop();
    coordinator.serverId = "spiffe://mesh.test/weft/node/api1";
    await coordinator.start();
    await expect(join(makeHost(), order(), () => {})).rejects.toMatchObject({ code: "WEFT-E202" });
    expect(coordinator.joinRequests).toHaveLength(0);
  });

  it("says in the coordinator's own sentence why a token is refused, and enrols nothing", async () => {
    const host = makeHost();
    coordinator.tokens.set(token, { node: "web1", expires: new Date(0) });
    await expect(join(host, order(), () => {})).rejects.toMatchObject({
      code: "WEFT-E201",
      message: "this join token has expired",
    });
    expect(await readEnrolment(host.files)).toBeUndefined();
  });

  it("refuses text that is no token before anything is sent, and does not repeat it", async () => {
    const typed = "hunter2";
    const failure = await join(makeHost(), order({ token: async () => typed }), () => {}).catch(
      (e: Error) => e,
    );
    expect(failure).toMatchObject({ code: "WEFT-E201" });
    expect(String((failure as Error).message)).not.toContain(typed);
    expect(coordinator.joinRequests).toHaveLength(0);
  });

  it("is refused for a second machine with the same token", async () => {
    await join(makeHost(), order(), () => {});
    await expect(join(makeHost(), order(), () => {})).rejects.toMatchObject({
      message: "this join token has been used",
    });
  });

  it("repeats the very same request after a lost answer", async () => {
    const host = makeHost();
    coordinator.loseNextAnswer = true;
    await expect(join(host, order(), () => {})).rejects.toMatchObject({ code: "WEFT-E500" });
    await join(host, order(), () => {});
    const [first, second] = coordinator.joinRequests;
    expect(second).toEqual(first);
  });

  it.each([places.enrolmentKey, places.pendingRequest, places.nodeSvid, places.bundle, places.enrolment])(
    "survives a crash at %s",
    async (path) => {
      for (const when of ["before", "after"] as const) {
        const host = makeHost();
        const each = `web1.${Buffer.from(`${when}${path}`).toString("base64url").padEnd(32, "x").slice(-32)}`;
        coordinator.tokens.set(each, { node: "web1", expires: new Date(Date.now() + 60_000) });
        const crashing = files;
        crashing.crashAt = { path, when };
        await expect(join(host, order({ token: async () => each }), () => {})).rejects.toThrow(
          "power failure",
        );
        crashing.crashAt = undefined;
        const outcome = await join(host, order({ token: async () => each }), () => {});
        expect(outcome.enrolment.node).toBe("web1");
        expect(await readNodeSvid(host.files)).toBeDefined();
      }
    },
  );

  it("says that the machine has joined already, and refuses another mesh", async () => {
    const host = makeHost();
    await join(host, order(), () => {});
    expect(await join(host, order(), () => {})).toMatchObject({ kind: "already" });
    const other = `sha256:${"1".repeat(64)}`;
    await expect(join(host, order({ pin: other }), () => {})).rejects.toMatchObject({ code: "WEFT-E001" });
  });
});

describe("re-entry", () => {
  it("brings a new SVID and the next generation, on disk", async () => {
    const host = makeHost();
    const { enrolment } = await join(host, order(), () => {});
    const back = await reEnter(host, enrolment, "boot");
    expect(back.enrolment.enrolmentGeneration).toBe(2);
    expect((await readEnrolment(host.files))?.enrolmentGeneration).toBe(2);
  });

  it("takes the same request again after a lost answer", async () => {
    const host = makeHost();
    const { enrolment } = await join(host, order(), () => {});
    coordinator.loseNextAnswer = true;
    await expect(reEnter(host, enrolment, "boot")).rejects.toMatchObject({ code: "WEFT-E500" });
    const back = await reEnter(host, enrolment, "boot");
    expect(back.enrolment.enrolmentGeneration).toBe(2);
  });

  it("is refused for the copy of a disk from before", async () => {
    const host = makeHost();
    const { enrolment } = await join(host, order(), () => {});
    const back = await reEnter(host, enrolment, "boot");
    await reEnter(host, back.enrolment, "boot");
    await expect(reEnter(host, enrolment, "boot")).rejects.toMatchObject({ code: "WEFT-E204" });
  });

  it("refuses an older bundle than the one seen", async () => {
    const host = makeHost();
    const { enrolment } = await join(host, order(), () => {});
    coordinator.sequence = 4;
    await expect(reEnter(host, enrolment, "boot")).rejects.toMatchObject({ code: "WEFT-E207" });
  });
});
