import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import tls from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { FleetStatus } from "../../packages/shared/src/gen/weft/v1/control.ts";
import { TrustBundle } from "../../packages/shared/src/gen/weft/v1/trust.ts";
import { AgentStream } from "../support/agent-stream.ts";
import { eventually } from "../support/eventually.ts";
import { makeRoot } from "../support/test-ca.ts";
import { meshText, TestCoordinator, unary } from "../support/test-coordinator.ts";

let coordinator: TestCoordinator;
beforeEach(async () => {
  coordinator = await TestCoordinator.start();
  await coordinator.apply(meshText);
});
afterEach(async () => {
  await coordinator.stop();
  expect(coordinator.errors).toEqual([]);
});

/** The serial number a new connection is shown. */
function presented(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"] };
    const socket = tls.connect(options, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

describe("the coordinator's SVID", () => {
  it("rotates at half life with no restart and no dropped stream", async () => {
    const web = await coordinator.join("web1");
    const stream = new AgentStream(coordinator.agent(web)).hello();
    const desired = await stream.first("desired");
    const { agentPort, enrolmentPort } = coordinator.daemon;
    const before = await presented(enrolmentPort);
    await coordinator.daemon.tend();
    expect(await presented(enrolmentPort)).toBe(before);

    coordinator.skewMs = 31 * 60_000;
    await coordinator.daemon.tend();
    const after = await presented(enrolmentPort);
    expect(after).not.toBe(before);
    expect(await presented(agentPort)).toBe(after);
    stream.enforce(desired);
    await eventually("word over the old stream", async () =>
      (await coordinator.status()).nodes.some(({ verdict }) => verdict === "ENFORCED"),
    );
    expect(stream.ended).toBe(false);
    coordinator.skewMs = 0;
    const second = new AgentStream(coordinator.agent(web)).hello();
    await second.first("welcome");
  });
});

describe("the trust bundle", () => {
  it("follows SPIRE's roots to every stream, under a higher sequence; new roots are believed at once", async () => {
    const web = await coordinator.join("web1");
    const stream = new AgentStream(coordinator.agent(web)).hello();
    await stream.first("bundle");
    const next = makeRoot("mesh.internal");
    coordinator.spire.roots = [coordinator.spire.root.der, next.der];
    await coordinator.daemon.tend();
    const signed = await eventually("the second bundle", () => stream.of("bundle")[1]);
    const bundle = TrustBundle.decode(signed.bundle);
    expect(bundle.sequence).toBe(2n);
    expect(bundle.roots).toHaveLength(2);

    coordinator.spire.root = next;
    const identity = coordinator.identity("spiffe://mesh.internal/weft/node/web1", { notBefore: new Date() });
    const renewed = new AgentStream(coordinator.agent(identity)).hello();
    await renewed.first("welcome");
  });

  it("is not signed again when nothing changed, and is before half of its life is over", async () => {
    const web = await coordinator.join("web1");
    const sequence = () => TrustBundle.decode(web.response.bundle!.bundle).sequence;
    expect(sequence()).toBe(1n);
    await coordinator.daemon.tend();
    const stream = new AgentStream(coordinator.agent(web)).hello({ bundleSequence: 1n });
    await stream.first("welcome");
    coordinator.skewMs = 3.6 * 24 * 3600 * 1000;
    await coordinator.daemon.tend();
    expect(TrustBundle.decode((await stream.first("bundle")).bundle).sequence).toBe(2n);
  });
});

describe("a coordinator that starts again", () => {
  it("knows mesh, members and their last word, and serves with SPIRE away", async () => {
    const web = await coordinator.join("web1");
    const stream = new AgentStream(coordinator.agent(web)).hello();
    stream.enforce(await stream.first("desired"));
    await eventually("enforced", async () =>
      (await coordinator.status()).nodes.some(({ verdict }) => verdict === "ENFORCED"),
    );
    await coordinator.daemon.stop();
    expect(await stream.end()).toBeDefined();
    coordinator.spire.away = true;
    await coordinator.start();
    const status = await coordinator.status();
    expect(status.revision).toBe(1n);
    expect(status.nodes.find(({ name }) => name === "web1")).toMatchObject({
      state: "Online",
      verdict: "ENFORCED",
      enforcedRevision: 1n,
      agentVersion: "0.1.0",
    });
    expect(status.conditions.map(({ code }) => code)).toEqual(["SPIRE_SERVER_AWAY"]);
    const again = new AgentStream(coordinator.agent(web)).hello();
    await again.first("desired");
    const probe = await unary<{ nonce: Buffer }>((done) =>
      coordinator.agent(web).probe({ nonce: Buffer.from("x") }, done),
    );
    expect(probe.nonce.toString()).toBe("x");
    coordinator.spire.away = false;
    await coordinator.daemon.tend();
    await coordinator.apply(meshText);
    await eventually("no condition", async () => (await coordinator.status()).conditions.length === 0);
  });

  it("takes a stale control socket away, and leaves one that is answered, or is a file", async () => {
    const path = join(coordinator.folder, "control.sock");
    await expect(new TestStarter(coordinator).start()).rejects.toMatchObject({ code: "WEFT-E007" });
    await coordinator.daemon.stop();
    leaveStale(path);
    expect(existsSync(path)).toBe(true);
    await coordinator.start();
    await coordinator.daemon.stop();
    writeFileSync(path, "");
    await expect(new TestStarter(coordinator).start()).rejects.toMatchObject({ code: "WEFT-E002" });
    rmSync(path);
    await coordinator.start();
  });
});

/** Starts a second one in the same folder, keeping the first one's handle. */
class TestStarter {
  readonly #coordinator: TestCoordinator;
  constructor(coordinator: TestCoordinator) {
    this.#coordinator = coordinator;
  }
  async start(): Promise<void> {
    const { daemon } = this.#coordinator;
    try {
      await this.#coordinator.start();
    } finally {
      this.#coordinator.daemon = daemon;
    }
  }
}

/** A socket file whose listener died without removing it. */
function leaveStale(path: string): void {
  const program =
    'require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))';
  const { signal } = spawnSync(process.execPath, ["-e", program, path], { stdio: "ignore", timeout: 5_000 });
  expect(signal).toBe("SIGKILL");
}

describe("status that follows", () => {
  it("comes at once, on changes, and at most four times a second", async () => {
    const call = coordinator.control().watchStatus({ follow: true, node: "" });
    const came: { at: number; status: FleetStatus }[] = [];
    call.on("data", (status: FleetStatus) => came.push({ at: Date.now(), status }));
    call.on("error", () => undefined);
    await eventually("the first", () => came.length > 0);
    const web = await coordinator.join("web1");
    const stream = new AgentStream(coordinator.agent(web)).hello();
    await stream.first("desired");
    for (let index = 0; index < 200; index++) stream.report({ sequence: index });
    await eventually("the last report", () =>
      came.at(-1)?.status.nodes.some(({ report }) => report?.sequence === 199n),
    );
    call.cancel();
    const span = came.at(-1)!.at - came[0]!.at;
    expect(came.length).toBeLessThanOrEqual(Math.ceil(span / 250) + 2);
  });
});
