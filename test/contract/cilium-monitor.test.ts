// Who listens to Cilium at endpoints, with a program in place of `cilium-dbg monitor` that prints recorded lines
// (fixtures/cilium-1.18.10: monitor-fed.txt is what the real one printed) and then does what the test says.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { MonitorWatch } from "../../packages/node-agent/src/cilium/monitor-watch.ts";
import type { Finding } from "../../packages/node-agent/src/conditions.ts";
import type { Exec } from "../../packages/node-agent/src/host/host.ts";
import { LinuxExec } from "../../packages/node-agent/src/host/linux-exec.ts";
import { WeftError } from "../../packages/shared/src/errors/weft-error.ts";
import { eventRate } from "../../packages/shared/src/render/cilium-agent-options.ts";
import { spiffeLabel } from "../../packages/shared/src/render/cilium-labels.ts";
import { desiredWith, endpointOf } from "../support/cilium/endpoint-samples.ts";
import { eventually } from "../support/eventually.ts";
import { FakeHost } from "../support/fake-host.ts";

const fed = join(import.meta.dirname, "../fixtures/cilium-1.18.10/monitor-fed.txt");
const api = { ...endpointOf("api", 80), address: "10.42.2.5" };
const one = "Policy verdict log: flow 0x1 local EP ID 5, remote ID 36880, proto 6, ingress, action deny, ";
const line = `${one}auth: disabled, match none, 10.42.1.61:4001 -> 10.42.2.5:9090 tcp SYN`;

const other = '{"type":"drop","reason":"Unsupported L4 protocol","srcLabel":8061,"summary":{}}';

let host: FakeHost;
let desired: ReturnType<typeof desiredWith> | undefined;
let findings: readonly Finding[];
/** Of the shell, in turn; the last again and again. */
let scripts: string[];
let pids: number[];
let asked: number[];
/** Each program gets a connection from the agent. */
let isTaken: boolean;
let watch: MonitorWatch;
let stop: AbortController;
let running: Promise<void>;

const unix = "/proc/net/unix";
const connection = (inode: number | undefined, path = "/var/run/cilium/monitor1_2.sock") =>
  `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 26 /var/run/cilium/monitor1_2.sock
${inode === undefined ? "" : `0000000000000000: 00000003 00000000 00000000 0001 03 ${inode} ${path}\n`}`;

beforeEach(async () => {
  host = new FakeHost();
  desired = desiredWith([api]);
  [findings, pids, asked, isTaken] = [[], [], [], true];
  scripts = [];
  stop = new AbortController();
  await host.files.write("/run/cilium/monitor1_2.sock", "");
  await host.files.write(unix, connection(undefined));
  const real = new LinuxExec();
  const lines: Exec["lines"] = (program, args, onLine, signal) => {
    expect([program, ...args].join(" ")).toBe(
      "/opt/weft/cilium/cilium-dbg monitor -n -j -t policy-verdict -t drop",
    );
    const script = scripts.length > 1 ? scripts.shift() : scripts[0];
    if (script === undefined)
      return { done: Promise.reject(new WeftError("WEFT-E007", "gone")), pid: undefined };
    const child = real.lines("sh", ["-c", script], onLine, signal);
    pids.push(child.pid ?? 0);
    if (isTaken) writeFileSync(`${host.root}${unix}`, connection(100 + pids.length));
    return child;
  };
  const client = {
    identityLabels: async (identity: number) => {
      asked.push(identity);
      return identity === 8061
        ? [spiffeLabel(api.spiffeId), "spiffe:path=api"]
        : [`spiffe:id=${"ab".repeat(20)}`];
    },
  };
  watch = new MonitorWatch({
    host: { files: host.files, clock: host.clock, exec: { ...host.exec, lines } as unknown as Exec },
    client,
    desired: () => desired,
    onFindings: (found) => {
      findings = found;
    },
  });
});
afterEach(async () => {
  stop.abort();
  await running;
  await eventually("all have ended", () => pids.every((pid) => !isAlive(pid)));
  host.dispose();
});

/** With these programs, in turn. */
function begin(...own: readonly string[]): void {
  scripts = [...own];
  running = watch.run(stop.signal);
}
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // ended, and not waited for yet
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
/** Moves the clock until it is so. */
const until = <T>(what: string, look: () => T | undefined | Promise<T | undefined>) =>
  eventually(what, async () => {
    const found = await look();
    if (found === undefined) host.clock.advance(1_000);
    return found;
  });
/** Whoever sleeps looks again. */
const nextLook = async () => {
  await eventually("it sleeps", () => (host.clock.sleeping > 0 ? true : undefined));
  host.clock.advance(100);
};
const told = (count: number) =>
  until(`${count} flows`, async () => {
    const report = await watch.report();
    return report !== undefined && report.flows.length >= count ? report : undefined;
  });
const listening = () =>
  until("it listens", async () => {
    const report = await watch.report();
    return report !== undefined && report.memory.seconds > 0 ? report : undefined;
  });

describe("who listens to Cilium", () => {
  it("tells flows of this node's endpoints, with the other end's SPIFFE ID by its hash", async () => {
    begin(`grep -v level=.* ${fed}; exec sleep 60`);
    const { flows, fullSets, spent } = await told(7);
    const at = { service: "api", peer: "", forged: false };
    const shared = { ...at, identity: 36880, peer: "ab".repeat(20) };
    expect(
      flows.map(({ kind, direction, source, destination, protocol, port, endpoint }) => [
        [kind, direction, source ?? destination, `${port}/${protocol}`].join(" "),
        endpoint,
      ]),
    ).toEqual([
      ["seen in 10.42.1.61 8080/tcp", shared],
      ["seen out 10.77.0.12 53/udp", { ...at, identity: 1 }],
      ["audited in 10.77.0.11 8080/tcp", { ...at, identity: 33554437 }],
      ["denied in 10.42.1.61 9090/tcp", shared],
      ["denied out 198.51.100.7 443/tcp", { ...at, identity: 2 }],
      ["denied in 10.77.0.11 0/icmp", { ...at, identity: 33554437 }],
      // told by the endpoint's own identity
      ["denied out 10.42.2.5 9090/tcp", { ...at, identity: 0, forged: true }],
    ]);
    expect([fullSets, spent]).toEqual([[], []]);
    // reserved numbers and those of addresses have none, and what is known is not asked for again
    await watch.report();
    expect(asked.sort()).toEqual([36880, 8061]);
  });

  it("says from when on it has heard everything, and why not before", async () => {
    begin("exec sleep 60");
    expect(await listening()).toMatchObject({ memory: { gap: "weft-node-agent has just started" } });
  });

  it("begins anew when events were lost, and keeps what it has", async () => {
    begin(`echo '${line}'; exec sleep 60`, `echo 'CPU 01: Lost 17 events'; exec sleep 60`);
    await told(1);
    process.kill(pids[0]!);
    const lost = await until("the gap", async () => {
      const report = await watch.report();
      return report?.memory.gap === "17 events were lost" ? report : undefined;
    });
    expect(lost.flows).toHaveLength(1);
  });

  it("begins anew when there are as many events as the datapath lets through", async () => {
    begin(`yes '${line}' | head -n ${eventRate}; exec sleep 60`);
    // all in the same second
    const { memory, flows } = await eventually("the gap", async () => {
      const report = await watch.report();
      return report?.memory.gap.startsWith("more than") === true ? report : undefined;
    });
    expect(memory.gap).toBe("more than 4000 events in a second");
    expect(flows).toHaveLength(1);
  });

  it("starts another program when the agent ends its events, or the program ends; each is a gap", async () => {
    const ending = 'time=x level=warn msg="connection closed" subsys=cilium-dbg error=EOF';
    const go = `${host.root}/go`;
    begin(`while [ ! -e ${go} ]; do sleep 0.02; done; echo '${ending}'; exec sleep 60`, "exec sleep 60");
    await listening();
    await host.files.write("/go", "");
    const gap = (text: string, of: number) =>
      until(text, async () => {
        const { memory } = (await watch.report()) ?? {};
        return memory?.gap === text && memory.seconds > 0 && pids.length === of ? memory : undefined;
      });
    await gap("the agent of Cilium ended its events", 2);
    expect(isAlive(pids[0]!)).toBe(false);
    process.kill(pids[1]!);
    await gap("the program that listened ended", 3);
  });

  it("is ended where no endpoint is wanted any more, and what it knew is forgotten", async () => {
    begin(`echo '${line}'; exec sleep 60`);
    await told(1);
    desired = undefined;
    await until("it is ended", () => (isAlive(pids[0]!) ? undefined : true));
    expect(await watch.report()).toBeUndefined();
    desired = desiredWith([api]);
    await until("another one", () => (pids.length === 2 ? true : undefined));
  });

  it("is told when it cannot run, until it does; then nothing is said to be whole", async () => {
    begin();
    await until("a finding", () => (findings.length > 0 ? true : undefined));
    expect(findings).toEqual([{ code: "CILIUM_UNHEARD", detail: "gone" }]);
    expect(await watch.report()).toMatchObject({ flows: [], memory: { seconds: 0, gap: "gone" } });
    await host.files.remove("/run/cilium/monitor1_2.sock");
    await until("no agent", () => (findings[0]?.detail.startsWith("no agent of Cilium") ? true : undefined));
    scripts = ["exec sleep 60"];
    await host.files.write("/run/cilium/monitor1_2.sock", "");
    await listening();
    expect(findings).toEqual([]);
  });

  it("does not count as listening before the agent has its connection", async () => {
    isTaken = false;
    // the end of one that is gone, and somebody else's socket of that name
    await host.files.write(unix, connection(27));
    begin("exec sleep 60");
    await until("one is running", () => (pids.length > 0 ? true : undefined));
    host.clock.advance(10_000);
    expect((await watch.report())?.memory.seconds).toBe(0);
    await host.files.write(unix, connection(28, "/tmp/cilium/monitor1_2.sock"));
    for (let look = 0; look < 3; look++) await nextLook();
    expect((await watch.report())?.memory.seconds).toBe(0);
    await host.files.write(unix, connection(28));
    await listening();
  });

  it("is told when the agent takes no connection: it hangs", async () => {
    isTaken = false;
    begin("exec sleep 60");
    await until("a finding", () => (findings.length > 0 ? true : undefined));
    expect(findings).toMatchObject([{ code: "CILIUM_UNHEARD", detail: expect.stringContaining("may hang") }]);
    await eventually("those before are ended", () => !pids.slice(0, -1).some(isAlive));
  });

  it("begins anew when the clock is set: no memory becomes older for that", async () => {
    begin("exec sleep 60");
    await listening();
    host.clock.advance(7 * 24 * 3600_000);
    expect(await watch.report()).toMatchObject({
      memory: { seconds: 1, gap: "the clock was set, or stood still" },
    });
  });

  it("counts what it does not remember: it takes room in the datapath's rate, too", async () => {
    begin(`yes '${other}' | head -n ${eventRate}; exec sleep 60`);
    await eventually("the gap", async () => {
      const report = await watch.report();
      return report?.memory.gap.startsWith("more than") === true ? report : undefined;
    });
  });

  it("ends, and says why, when nobody can tell whether it is connected", async () => {
    const { readText } = host.files;
    host.files.readText = (path) =>
      path === unix && pids.length > 0
        ? Promise.reject(new WeftError("WEFT-E004", "cannot be read"))
        : readText.call(host.files, path);
    begin("exec sleep 60");
    await until("a finding", () => (findings.length > 0 ? true : undefined));
    expect(findings).toEqual([{ code: "CILIUM_UNHEARD", detail: "cannot be read" }]);
  });
});
