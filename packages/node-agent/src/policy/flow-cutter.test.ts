import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { WeftError } from "@weft/shared/errors/weft-error";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { KernelFlowCutter } from "./flow-cutter.ts";

const own = { family: "inet", table: "weft" };
const base = (name: string, hook: string) => ({
  chain: { ...own, name, type: "filter", hook, prio: 0, policy: "accept" },
});
const refuse = (chain: string, field: "saddr" | "daddr", address: string) => ({
  rule: {
    ...own,
    chain,
    handle: 5,
    expr: [
      { match: { op: "==", left: { payload: { protocol: "ip", field } }, right: address } },
      { drop: null },
    ],
  },
});
const bad = "10.77.0.66";
/** Nothing to and from the bad address; what to 10.77.0.99, nobody can tell. */
const rules = (armed: readonly string[] = []) =>
  JSON.stringify({
    nftables: [
      { table: { family: "inet", name: "weft" } },
      base("in", "input"),
      base("out", "output"),
      base("through", "forward"),
      { set: { ...own, name: "armed", elem: armed } },
      refuse("in", "saddr", bad),
      refuse("out", "daddr", bad),
      refuse("through", "daddr", bad),
      {
        rule: {
          ...own,
          chain: "out",
          handle: 9,
          expr: [
            {
              match: { op: "==", left: { payload: { protocol: "ip", field: "daddr" } }, right: "10.77.0.99" },
            },
            { wonder: null },
          ],
        },
      },
    ],
  });

const listener = "tcp LISTEN 0 9 0.0.0.0:8080 0.0.0.0:* uid:5 ino:1";
const arrived = `tcp ESTAB 0 0 10.77.0.11:8080 ${bad}:40000 uid:5 ino:2`;
const mapped = `tcp ESTAB 0 0 [::ffff:10.77.0.11]:8080 [::ffff:${bad}]:40001 uid:5 ino:3`;
const left = `tcp ESTAB 0 0 10.77.0.11:41000 ${bad}:9999 uid:6 ino:4`;
const orphan = `tcp FIN-WAIT-1 0 9 10.77.0.11:41001 ${bad}:9999 ino:0`;
const fine = "tcp ESTAB 0 0 10.77.0.11:41002 10.77.0.12:8080 uid:6 ino:5";
const puzzling = "tcp ESTAB 0 0 10.77.0.11:41003 10.77.0.99:8080 uid:6 ino:6";
const loop = "tcp ESTAB 0 0 127.0.0.1:41004 127.0.0.1:8080 uid:6 ino:7";
const caged = `ipv4 2 tcp 6 99 ESTABLISHED src=172.17.0.2 dst=${bad} sport=1234 dport=80 src=${bad} dst=10.77.0.11 sport=80 dport=6000 [ASSURED]`;

let host: FakeHost;
let sockets: string[];
let tracked: string[];
let canEnd: boolean;
let elsewhere: string[];
let why: string | undefined;

const make = () =>
  new KernelFlowCutter({
    exec: host.exec,
    files: host.files,
    canEndSockets: async () => canEnd,
    others: {
      find: async () => ({
        end: async (ends) => {
          elsewhere.push(
            ...ends.map(({ local, peer }) => `${local.address}:${local.port} ${peer.address}:${peer.port}`),
          );
          return why;
        },
      }),
    },
  });

beforeEach(async () => {
  host = new FakeHost();
  sockets = [];
  tracked = [];
  canEnd = true;
  elsewhere = [];
  why = undefined;
  await host.files.write("/proc/net/fib_trie", "|-- 10.77.0.11\n   /32 host LOCAL\n");
  await host.files.write("/proc/sys/net/ipv4/ip_forward", "1\n");
  host.exec.programs.set("nft", () => ({ stdout: rules() }));
  host.exec.programs.set("ss", (args) => {
    if (args[0] !== "-K") return { stdout: sockets.join("\n") };
    const filter = args.at(-1) ?? "";
    // as the kernel does it: the IPv4 address of a mapped one is what is compared
    const isHit = (line: string) =>
      filter.includes(`src ${line.replaceAll(/\[::ffff:([0-9.]+)\]/g, "$1").split(" ")[4]} and`) && canEnd;
    sockets = sockets.filter((line) => !isHit(line));
    return {};
  });
  host.exec.programs.set("conntrack", (args, { input }) => {
    if (args[0] === "-L") return { stdout: args.includes("ipv4") ? tracked.join("\n") : "" };
    tracked = tracked.filter((line) => !(input ?? "").includes(`--sport ${/sport=(\d+)/.exec(line)?.[1]} `));
    return {};
  });
});
afterEach(() => host.dispose());

describe("a cut by the loaded rules", () => {
  it("ends what they refuse, whoever opened it, by its exact ends, and leaves everything else", async () => {
    sockets = [listener, arrived, mapped, left, fine, loop];
    expect(await make().cut(false)).toEqual({ ended: 3, leftUnknown: 0, failed: 0, kept: 0, trouble: [] });
    expect(sockets).toEqual([listener, fine, loop]);
    const kills = host.exec.calls.filter((call) => call.startsWith("ss -K"));
    expect(kills).toHaveLength(1);
    expect(kills[0]).toContain(`( src 10.77.0.11:8080 and dst ${bad}:40001 )`);
  });

  it("never ends what it cannot judge, and counts it", async () => {
    sockets = [puzzling, orphan, "tcp ESTAB 0 0 what 10.0.0.1:1 ino:5"];
    expect(await make().cut(false)).toMatchObject({ ended: 0, leftUnknown: 3, failed: 0 });
    expect(host.exec.calls.join()).not.toContain("-K");
  });

  it("ends what passes through at its ends in other networks, and in connection tracking", async () => {
    tracked = [caged];
    expect(await make().cut(false)).toMatchObject({ ended: 1, failed: 0, trouble: [] });
    expect(elsewhere).toEqual([`172.17.0.2:1234 ${bad}:80`, `${bad}:80 10.77.0.11:6000`]);
    expect(tracked).toEqual([]);
  });

  it("says when other networks cannot be entered", async () => {
    tracked = [caged];
    why = "no";
    expect(await make().cut(false)).toMatchObject({ ended: 1, trouble: ["no"] });
  });

  it("looks at nothing while a policy is armed, and only counts when it is to keep", async () => {
    sockets = [listener, arrived];
    expect(await make().cut(true)).toMatchObject({ kept: 1, ended: 0 });
    host.exec.programs.set("nft", () => ({ stdout: rules(["ipv4", "ipv6"]) }));
    expect(await make().cut(false)).toBeUndefined();
    expect(sockets).toHaveLength(2);
  });

  it("ends nothing where there is no table", async () => {
    sockets = [listener, arrived];
    host.exec.programs.set("nft", () => ({ code: 1, stderr: "Error: No such file or directory" }));
    expect(await make().cut(false)).toMatchObject({ ended: 0 });
  });
});

describe("a cut that fails", () => {
  it("names the kernel that does not end sockets", async () => {
    sockets = [listener, arrived, left];
    canEnd = false;
    const result = await make().cut(false);
    expect(result).toMatchObject({ ended: 0, failed: 2 });
    expect(result?.trouble).toEqual([
      "this kernel does not end sockets when asked (CONFIG_INET_DIAG_DESTROY)",
    ]);
  });

  it("is blind to what passes through without conntrack, where something may", async () => {
    host.exec.programs.delete("conntrack");
    expect((await make().cut(false))?.trouble).toEqual([
      "flows that pass through: conntrack is not installed",
    ]);
    await host.files.write("/proc/net/nf_conntrack", `${caged}\n`);
    expect(await make().cut(false)).toMatchObject({ failed: 1 });
    await host.files.remove("/proc/net/nf_conntrack");
    await host.files.write("/proc/sys/net/ipv4/ip_forward", "0\n");
    expect((await make().cut(false))?.trouble).toEqual([]);
  });

  it("throws when ss is missing: nothing is known then", async () => {
    host.exec.programs.delete("ss");
    await expect(make().cut(false)).rejects.toThrow(WeftError);
  });
});

it("an old conntrack is asked flow by flow", async () => {
  tracked = [caged];
  const asked: string[] = [];
  host.exec.programs.set("conntrack", (args) => {
    if (args[0] === "-L") return { stdout: args.includes("ipv4") ? tracked.join("\n") : "" };
    if (args[0] === "-R") return { code: 2, stderr: "conntrack v1.4.6: unknown option" };
    asked.push(args.join(" "));
    tracked = [];
    return {};
  });
  expect(await make().cut(false)).toMatchObject({ ended: 1, failed: 0 });
  expect(asked).toEqual([
    `-D -f ipv4 -p tcp -s 172.17.0.2 -d ${bad} --sport 1234 --dport 80 -r ${bad} -q 10.77.0.11`,
  ]);
});
