// The stream to the coordinator, over real TLS on loopback: kept, renewed without a gap, and ended for good.

import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { join } from "../../packages/node-agent/src/enrol/join.ts";
import type { Host } from "../../packages/node-agent/src/host/host.ts";
import { LinuxClock } from "../../packages/node-agent/src/host/linux-clock.ts";
import { checkDesired, readDesired, writeDesired } from "../../packages/node-agent/src/link/desired-store.ts";
import { mintExchange } from "../../packages/node-agent/src/link/exchange.ts";
import { Link, type LinkDuties } from "../../packages/node-agent/src/link/link.ts";
import { NodeIdentity } from "../../packages/node-agent/src/link/node-identity.ts";
import type { Log } from "../../packages/node-agent/src/log.ts";
import { nothingKnown } from "../../packages/shared/src/model/cilium.ts";
import type { DesiredState } from "../../packages/shared/src/model/desired.ts";
import { encodeDesired } from "../../packages/shared/src/wire/desired-codec.ts";
import { emptyContent, sealed } from "../support/desired.ts";
import { FakeCoordinator, trustDomain } from "../support/fake-coordinator.ts";
import { FakeHost } from "../support/fake-host.ts";

const token = `web1.${"A".repeat(32)}`;
const quiet: Log = { info: () => {}, warn: () => {}, error: () => {} };

let coordinator: FakeCoordinator;
let machine: FakeHost;
let host: Host;
let stop: AbortController;
let running: Promise<void>;
const seen = {
  desired: [] as DesiredState[],
  states: [] as (string | undefined)[],
  dismissed: [] as string[],
};

async function until(what: string, condition: () => boolean, ms = 8_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await wait(20);
  }
}

async function start(changes: Partial<LinkDuties> = {}): Promise<{ link: Link; identity: NodeIdentity }> {
  const identity = await NodeIdentity.load(host, "boot");
  if (identity === undefined) throw new Error("not enrolled");
  const link = new Link({
    identity,
    clock: host.clock,
    random: () => 0,
    log: quiet,
    version: "1",
    bootId: "boot",
    held: () => ({ generation: 3, digest: "abc" }),
    facts: async () => facts,
    onDesired: (state) => void seen.desired.push(state),
    onBundle: () => {},
    onUnreadable: () => {},
    onState: (trouble) => void seen.states.push(trouble),
    onAttention: () => {},
    answer: async ({ id }) => ({ id, problem: "no kernel here" }),
    dial: async ({ id }) => ({ id, problem: "no connection here" }),
    onDismissed: (reason) => void seen.dismissed.push(reason),
    ...changes,
  });
  running = link.run(stop.signal);
  return { link, identity };
}

const facts = {
  hostname: "web1",
  os: "",
  kernel: "",
  architecture: "x64",
  systemd: "",
  nft: "",
  btf: false,
  bpffs: false,
  cgroup2: false,
  bpfProgramTypes: [],
  dnsOwner: { owner: "unknown", evidence: "" },
  cpus: 1,
  cpuModel: "",
  memoryBytes: 1,
  interfaces: [],
  trouble: [],
  components: [],
  socketDestroy: false,
  enforcementVerdict: "",
  foreignHooks: [],
  cilium: nothingKnown,
  ciliumVerdicts: [],
} as const;

function desired(generation: number): DesiredState {
  return { ...sealed({ ...emptyContent("web1"), trustDomain }), generation, revision: 1 };
}

beforeEach(async () => {
  for (const list of Object.values(seen)) list.length = 0;
  coordinator = new FakeCoordinator();
  coordinator.tokens.set(token, { node: "web1", expires: new Date(Date.now() + 60_000) });
  await coordinator.start();
  machine = new FakeHost();
  const { files, exec, units, sockets } = machine;
  host = { files, exec, units, sockets, clock: new LinuxClock() };
  stop = new AbortController();
  running = Promise.resolve();
  await join(
    host,
    {
      coordinator: { address: "127.0.0.1", port: coordinator.enrolmentPort },
      pin: coordinator.pin,
      token: async () => token,
      agentVersion: "1",
      bootId: "boot",
    },
    () => {},
  );
});

afterEach(async () => {
  stop.abort();
  // First, so that a link that does not stop keeps no server open.
  coordinator.stop();
  machine.dispose();
  await running;
});

describe("link", () => {
  it("says what it holds, sends facts, beats, and takes a desired state", async () => {
    await start();
    await until("hello", () => coordinator.hellos.length === 1);
    expect(coordinator.hellos[0]).toMatchObject({ generation: 3n, digest: "abc", bundleSequence: 5n });
    coordinator.streams[0]?.write({ message: { $case: "desired", value: encodeDesired(desired(4)) } });
    await until("desired", () => seen.desired.length === 1);
    await until("facts", () => coordinator.messages.some((message) => message.message?.$case === "facts"));
    await until("heartbeat", () =>
      coordinator.messages.some((message) => message.message?.$case === "heartbeat"),
    );
  });

  it("comes back when the coordinator was dead, and says so meanwhile", async () => {
    await start();
    await until("first stream", () => coordinator.streams.length === 1);
    coordinator.stop();
    await until("away", () => seen.states.some((state) => state !== undefined));
    await coordinator.start({ enrolment: coordinator.enrolmentPort, agent: coordinator.agentPort });
    await until("second stream", () => coordinator.hellos.length === 2);
    await until("the all-clear", () => seen.states.at(-1) === undefined);
  });

  it("opens a stream with the new SVID before it closes the old one", async () => {
    // Half of its life is over when it is given, and the other half is long enough for a slow machine.
    coordinator.svidLifeMs = 50_000;
    const { identity } = await start();
    // The one from joining lives an hour: replaced by one that is due at once.
    await until("first stream", () => coordinator.streams.length === 1);
    stop.abort();
    await running;
    const short = await NodeIdentity.load(host, "boot");
    if (short === undefined) throw new Error("not enrolled");
    const client = identity.client();
    await short.renew(client, new AbortController().signal);
    client.close();
    stop = new AbortController();
    // From here on they live long: the short one is renewed once.
    coordinator.svidLifeMs = 3_600_000;
    await start();
    const { streamEvents } = coordinator;
    const starts = () => streamEvents.filter(({ event }) => event === "start");
    await until("the new stream", () => starts().length === 3, 15_000);
    const [, old, fresh] = starts();
    expect(fresh!.serial).not.toBe(old!.serial);
    const endOfOld = () =>
      streamEvents.findIndex(({ event, serial }) => event === "end" && serial === old!.serial);
    await until("the old one's end", () => endOfOld() >= 0);
    expect(endOfOld()).toBeGreaterThan(streamEvents.indexOf(fresh!));
    expect(coordinator.renewals).toBe(2);
    expect(seen.states.filter((state) => state !== undefined)).toEqual([]);
  });

  it("enters again by its enrolment key when the SVID has expired", async () => {
    const loaded = await NodeIdentity.load(host, "boot");
    const client = loaded!.client();
    coordinator.svidLifeMs = 1_200;
    await loaded!.renew(client, new AbortController().signal);
    client.close();
    coordinator.svidLifeMs = 3_600_000;
    await until("expiry", () => loaded!.svidExpires! <= new Date());
    const { identity } = await start();
    await until("hello", () => coordinator.hellos.length === 1);
    expect(coordinator.hellos[0]?.enrolmentGeneration).toBe(2n);
    expect(identity.usable).toBe(true);
  });

  it("stops for good when it is dismissed, over restarts too", async () => {
    await start();
    await until("first stream", () => coordinator.streams.length === 1);
    coordinator.streams[0]?.write({
      message: { $case: "dismissal", value: { reason: "removed", banEpoch: 2n } },
    });
    await running;
    expect(seen.dismissed).toEqual(["removed"]);
    await start();
    await running;
    expect(coordinator.streams).toHaveLength(1);
  });

  it("goes on asking, seldom, when it is banned, over restarts too; welcomed again, it forgets", async () => {
    const naps: number[] = [];
    const clock = {
      now: () => host.clock.now(),
      sleep: (ms: number, signal?: AbortSignal) => {
        naps.push(ms);
        return host.clock.sleep(Math.min(ms, 50), signal);
      },
    };
    const dismiss = (reason: string, at: number) =>
      coordinator.streams[at]?.write({ message: { $case: "dismissal", value: { reason, banEpoch: 2n } } });
    await start({ clock });
    await until("first stream", () => coordinator.streams.length === 1);
    coordinator.welcomes = false;
    dismiss("banned", 0);
    coordinator.streams[0]?.end();
    await until("it asks again", () => coordinator.streams.length >= 2);
    await until("it says so", () => seen.dismissed.length > 0);
    expect(Math.max(...naps)).toBeGreaterThanOrEqual(15_000);
    expect((await NodeIdentity.load(host, "boot"))?.enrolment).toMatchObject({
      dismissed: "banned",
      banEpoch: 2,
    });
    stop.abort();
    await running;
    stop = new AbortController();
    coordinator.welcomes = true;
    const before = coordinator.streams.length;
    const { identity } = await start({ clock });
    await until(
      "a welcome",
      () => coordinator.streams.length > before && identity.enrolment.dismissed === "",
    );
    expect((await NodeIdentity.load(host, "boot"))?.enrolment.dismissed).toBe("");
  }, 20_000);

  it("is not silenced by a coordinator that never says welcome", async () => {
    coordinator.welcomes = false;
    await start();
    await until("a second try", () => coordinator.hellos.length >= 1 && seen.states.length >= 1, 15_000);
    expect(seen.states[0]).toBeDefined();
  });

  it("gets an exchange SVID for its own name", async () => {
    const { link, identity } = await start();
    await until("client", () => link.client !== undefined);
    const svid = await mintExchange(
      link.client!,
      { trustDomain, node: "web1", roots: identity.bundle!.roots, now: new Date() },
      stop.signal,
    );
    expect(svid.notAfter.getTime()).toBeGreaterThan(Date.now());
  });

  it("refuses an SVID that was made for another key", async () => {
    const identity = await NodeIdentity.load(host, "boot");
    const client = identity!.client();
    const first = coordinator.svidFor.bind(coordinator);
    const other = coordinator.joinRequests[0]!.csr;
    coordinator.svidFor = (_csr, id, life) => first(other, id, life);
    await expect(identity!.renew(client, stop.signal)).rejects.toMatchObject({ code: "WEFT-E205" });
    client.close();
  });
});

describe("desired state on disk", () => {
  it("reads back what was written", async () => {
    const state = desired(7);
    await writeDesired(host.files, state);
    expect(await readDesired(host.files)).toEqual(state);
  });

  it("is refused for another node, or with another digest", () => {
    const state = desired(7);
    expect(() => checkDesired(state, { node: "api1", trustDomain })).toThrow(/refused/);
    expect(() => checkDesired({ ...state, mesh: "other" }, { node: "web1", trustDomain })).toThrow(/refused/);
    expect(() => checkDesired(state, { node: "web1", trustDomain })).not.toThrow();
  });
});
