// Which sockets in a namespace are ended: those whose first packet the endpoint's policy map would refuse now.
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { WeftError } from "@weft/shared/errors/weft-error";
import { policyMapText } from "../../../../test/support/cilium/policy-entries.ts";
import { sampleAddress, sampleCilium } from "../../../../test/support/cilium/sample-endpoint.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { EndpointCutter } from "./endpoint-cutter.ts";
import { parseIpcache } from "./ipcache.ts";
import type { CiliumEndpoint } from "./parse-endpoint.ts";

const caller = "10.42.12.243";
const callee = "10.42.13.7";
/** As 1.18.10 prints it, shortened. */
const ipcache = JSON.stringify({
  "0.0.0.0/0": ["identity=2 encryptkey=0 tunnelendpoint=0.0.0.0 flags=<none>"],
  "10.77.0.0/24": ["identity=16777217 encryptkey=0 tunnelendpoint=0.0.0.0 flags=<none>"],
  [`${caller}/32`]: ["identity=8061 encryptkey=0 tunnelendpoint=10.77.0.12 flags=<none>"],
  [`${callee}/32`]: ["identity=9000 encryptkey=0 tunnelendpoint=10.77.0.13 flags=<none>"],
});
const socket = (local: string, peer: string, state = "ESTAB") =>
  `tcp ${state} 0 0 ${local} ${peer} uid:998 ino:7 sk:1 cgroup:/ <->`;
const listener = socket("0.0.0.0:8080", "0.0.0.0:*", "LISTEN");

let host: FakeHost;
let sockets: string[];
let ended: string[];
let map: string;
let found: Partial<CiliumEndpoint> | undefined;
beforeEach(() => {
  host = new FakeHost();
  sockets = [listener];
  ended = [];
  map = policyMapText([
    { identity: 8061, protocol: 6, port: 8080 },
    { identity: 9000, protocol: 6, port: 5432, direction: "egress" },
  ]);
  found = { id: 1175, address: sampleAddress };
  host.exec.programs.set("systemd-run", (args) => {
    const [program = "", ...rest] = args.slice(args.indexOf("--") + 1);
    if (program !== "nsenter") return { stdout: rest[1] === "ipcache" ? ipcache : map };
    expect(rest.slice(0, 3)).toEqual(["--net=/run/netns/weft-web", "--", "ss"]);
    if (!rest.includes("-K")) return { stdout: `${sockets.join("\n")}\n` };
    const filter = rest.at(-1) ?? "";
    const isMeant = (line: string) => {
      const [, , , , local, peer] = line.split(" ");
      return filter.includes(`( src ${local} and dst ${peer} )`);
    };
    ended.push(...sockets.filter(isMeant));
    if (canEnd) sockets = sockets.filter((line) => !isMeant(line));
    return {};
  });
  canEnd = true;
});
let canEnd: boolean;
afterEach(() => host.dispose());

const cut = (keep = false, signal?: AbortSignal) =>
  new EndpointCutter({
    client: { endpoint: async () => found as CiliumEndpoint | undefined },
    exec: host.exec,
    desired: () => ({ cilium: sampleCilium("web") }),
  }).cut(keep, signal);

describe("flows of an endpoint", () => {
  it("are left where its map lets their first packet pass, in and out", async () => {
    sockets.push(socket(`${sampleAddress}:8080`, `${caller}:41000`));
    sockets.push(socket(`${sampleAddress}:41001`, `${callee}:5432`));
    expect(await cut()).toEqual({ ended: 0, leftUnknown: 0, failed: 0, kept: 0, trouble: [] });
    expect(ended).toEqual([]);
  });

  it("are ended where it does not, and the others are not", async () => {
    const stays = socket(`${sampleAddress}:8080`, `${caller}:41000`);
    const refused = [
      // by whom it is not open to
      socket(`${sampleAddress}:8080`, `${callee}:41002`),
      socket(`${sampleAddress}:8080`, "10.77.0.101:41003"),
      socket(`${sampleAddress}:8080`, "192.0.2.9:41004"),
      // to where it may not go
      socket(`${sampleAddress}:41005`, `${callee}:22`),
      socket(`${sampleAddress}:41006`, `${caller}:8080`),
    ];
    sockets.push(stays, ...refused);
    expect(await cut()).toMatchObject({ ended: 5, failed: 0, leftUnknown: 0, trouble: [] });
    expect(ended).toEqual(refused);
    expect(sockets).toEqual([listener, stays]);
  });

  it("are judged by who opened them: an answer's way is no way of its own", async () => {
    // its own port is listened on, and the peer's is one that it could have called
    sockets.push(socket(`${sampleAddress}:8080`, `${caller}:5432`));
    expect(await cut()).toMatchObject({ ended: 0 });
    sockets.push(socket(`${sampleAddress}:8080`, `${callee}:5432`));
    expect(await cut()).toMatchObject({ ended: 1 });
  });

  it("are left and counted where nobody can tell who opened them, or who the peer is", async () => {
    sockets.push(socket(`${sampleAddress}:7000`, `${callee}:5432`));
    sockets.push(socket(`${sampleAddress}:8080`, "[2001:db8::1]:41000"));
    expect(await cut()).toMatchObject({ ended: 0, leftUnknown: 2 });
    expect(ended).toEqual([]);
  });

  it("within the namespace are nobody's matter", async () => {
    sockets.push(socket("127.0.0.1:41000", "127.0.0.1:8080"));
    sockets.push(socket(`${sampleAddress}:41000`, `${sampleAddress}:8080`));
    expect(await cut()).toMatchObject({ ended: 0, leftUnknown: 0 });
  });

  it("are only counted where the state keeps them", async () => {
    sockets.push(socket(`${sampleAddress}:8080`, `${callee}:41002`));
    expect(await cut(true)).toMatchObject({ ended: 0, kept: 1 });
    expect(ended).toEqual([]);
  });

  it("are looked at later where a newer state is there: it does not wait for all endpoints", async () => {
    sockets.push(socket(`${sampleAddress}:8080`, `${callee}:41002`));
    expect(await cut(false, AbortSignal.abort())).toMatchObject({ ended: 0, again: true });
    expect(ended).toEqual([]);
  });

  it("that are there afterwards are told", async () => {
    canEnd = false;
    sockets.push(socket(`${sampleAddress}:8080`, `${callee}:41002`));
    expect(await cut()).toMatchObject({
      ended: 0,
      failed: 1,
      trouble: ["web: their sockets are still there"],
    });
  });

  it("are left where the map cannot be read, and that is told", async () => {
    map = "no json";
    sockets.push(socket(`${sampleAddress}:8080`, `${callee}:41002`));
    expect(await cut()).toMatchObject({ ended: 0, trouble: ["web: it is no JSON"], again: true });
    found = undefined;
    expect(await cut()).toMatchObject({ ended: 0, trouble: [] });
    expect(ended).toEqual([]);
  });
});

describe("who is known by an address", () => {
  it("is whom the longest range names", () => {
    const identityOf = parseIpcache(ipcache);
    expect([caller, "10.77.0.9", "10.9.9.9", "2001:db8::1"].map(identityOf)).toEqual([
      8061,
      16777217,
      2,
      undefined,
    ]);
  });

  it.each([
    ["no map", "[]"],
    ["no range", '{"x":["identity=1 "]}'],
    ["no identity", '{"10.0.0.0/8":["identity=x"]}'],
    ["two", '{"10.0.0.0/8":["identity=1 ","identity=2 "]}'],
  ])("is never guessed: %s", (_what, text) => {
    expect(() => parseIpcache(text)).toThrow(WeftError);
  });
});
