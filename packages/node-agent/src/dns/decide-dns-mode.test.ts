import { describe, expect, it } from "@jest/globals";
import type { DnsMode } from "@weft/shared/model/desired";
import { decideDnsMode } from "./decide-dns-mode.ts";
import { ownerOf } from "./decide-owner.ts";
import type { DnsEnv } from "./evidence.ts";

const plain: DnsEnv = {
  resolvConf: { kind: "file", target: undefined, dangling: false, ours: false, author: undefined },
  mounted: false,
  readOnly: false,
  immutable: false,
  networkManager: undefined,
  resolvedOnBus: false,
  nssReachesResolved: undefined,
  resolvconf: "none",
  writers: [],
  nameservers: ["192.0.2.53"],
  gaps: [],
};
const link = (target: string, dangling = false): DnsEnv["resolvConf"] => ({
  ...plain.resolvConf,
  kind: "symlink",
  target,
  dangling,
});
const stub: DnsEnv = {
  ...plain,
  resolvConf: link("../run/systemd/resolve/stub-resolv.conf"),
  resolvedOnBus: true,
  nssReachesResolved: "stub-link",
  nameservers: ["127.0.0.53"],
};
const uplink: DnsEnv = {
  ...stub,
  resolvConf: link("/run/systemd/resolve/resolv.conf"),
  nssReachesResolved: undefined,
};

const plainTrace =
  "resolv.conf=file ours=no dangling=no mounted=no immutable=no read-only=no networkmanager=no resolved=no nss=no " +
  "resolvconf=none writers=none author=none -> plain-file";

describe("decideDnsMode", () => {
  it.each<[string, DnsEnv, DnsMode, "resolved-link" | "file" | "off", RegExp]>([
    ["resolved by its stub link", stub, "auto", "resolved-link", /nss=stub-link .* -> resolved$/],
    ["resolved, asked for by name", stub, "resolved-link", "resolved-link", /-> resolved$/],
    [
      "resolved through nss beside a static file",
      { ...plain, resolvedOnBus: true, nssReachesResolved: "nsswitch" },
      "auto",
      "resolved-link",
      /nss=nsswitch/,
    ],
    ["resolved, but lookups go past it", uplink, "auto", "off", /lookups do not go through it/],
    ["file mode under a live resolved", stub, "file", "off", /nothing else writes/],
    [
      "a plain file that nobody offered",
      plain,
      "auto",
      "off",
      /only replaced when the mesh file says `mode: file`/,
    ],
    ["a plain file, asked for", plain, "file", "file", /-> plain-file$/],
    [
      "no file at all, with upstreams of the mesh",
      { ...plain, resolvConf: { ...plain.resolvConf, kind: "missing" } },
      "file",
      "file",
      /resolv\.conf=missing/,
    ],
    [
      "a link to a file of the administrator",
      { ...plain, resolvConf: link("/etc/resolv.site") },
      "file",
      "file",
      /symlink:\/etc\/resolv\.site/,
    ],
    [
      "a link to nothing",
      { ...plain, resolvConf: link("/etc/gone", true) },
      "file",
      "off",
      /link to nothing/,
    ],
    ["a mounted file", { ...plain, mounted: true }, "file", "off", /a mount of its own/],
    ["an immutable file", { ...plain, immutable: true }, "file", "off", /chattr/],
    [
      "an unknown +i, which the rename will find",
      { ...plain, immutable: undefined },
      "file",
      "file",
      /immutable=unknown/,
    ],
    ["a read-only /etc", { ...plain, readOnly: true }, "file", "off", /read-only/],
    [
      "a directory of that name",
      { ...plain, resolvConf: { ...plain.resolvConf, kind: "other" } },
      "file",
      "off",
      /neither/,
    ],
    ["only a loopback server", { ...plain, nameservers: ["127.0.0.1"] }, "file", "file", /plain-file/],
    ["resolved asked for where it is not", plain, "resolved-link", "off", /needs systemd-resolved/],
    [
      "NetworkManager",
      { ...plain, networkManager: "default/file" },
      "file",
      "off",
      /networkmanager=default\/file .* -> network-manager/,
    ],
    [
      "NetworkManager before resolved",
      { ...stub, networkManager: "systemd-resolved/auto" },
      "auto",
      "off",
      /NetworkManager owns/,
    ],
    ["resolvconf", { ...plain, resolvconf: "debian" }, "auto", "off", /resolvconf owns/],
    [
      "a running DHCP client",
      { ...plain, writers: ["dhclient"] },
      "file",
      "off",
      /dhclient rewrites the file/,
    ],
    [
      "a header nobody stands behind",
      { ...plain, resolvConf: { ...plain.resolvConf, author: "NetworkManager" } },
      "file",
      "off",
      /not running/,
    ],
    [
      "a link into /run",
      { ...plain, resolvConf: link("/run/connman/resolv.conf") },
      "file",
      "off",
      /at run time/,
    ],
  ])("%s", (what, env, mode, expected, why) => {
    const upstreams = /of the mesh|loopback/.test(what) ? ["192.0.2.54"] : [];
    const decision = decideDnsMode(env, { mode, upstreams }, ["10.77.0.11"]);
    expect(decision.mode).toBe(expected);
    expect(decision.why).toMatch(why);
    expect(decision.condition).toBe(expected === "off" ? "DNS_NOT_TAKEN" : undefined);
  });

  it("says nothing is wrong when the mesh file says off", () => {
    const decision = decideDnsMode(stub, { mode: "off", upstreams: [] }, []);
    expect(decision).toMatchObject({ mode: "off", condition: undefined, keep: false });
  });

  it("needs an upstream to be the host's only resolver", () => {
    const env = { ...plain, nameservers: ["127.0.0.1", "10.77.0.11"] };
    const decision = decideDnsMode(env, { mode: "file", upstreams: [] }, ["10.77.0.11"]);
    expect(decision).toMatchObject({ mode: "off", condition: "DNS_NOT_TAKEN", keep: false });
    expect(decision.why).toMatch(/no upstream/);
  });

  it("forwards to the mesh file's upstreams, else to what the node had, and nothing when only the zone is routed", () => {
    const wanted = { mode: "file", upstreams: ["192.0.2.99"] } as const;
    expect(decideDnsMode(plain, wanted, []).upstreams).toEqual(["192.0.2.99"]);
    expect(decideDnsMode(plain, { mode: "file", upstreams: [] }, []).upstreams).toEqual(["192.0.2.53"]);
    expect(decideDnsMode(stub, { mode: "auto", upstreams: ["192.0.2.99"] }, []).upstreams).toEqual([]);
  });

  it("has services in namespaces ask what knows public names, taken over or not", () => {
    const of = (env: DnsEnv, mode: "auto" | "file" | "off") =>
      decideDnsMode(env, { mode, upstreams: [] }, []).endpointUpstreams;
    expect(of(stub, "auto")).toEqual(["127.0.0.53"]);
    expect(of(plain, "file")).toEqual(["192.0.2.53"]);
    expect(of(plain, "auto")).toEqual(["192.0.2.53"]);
    expect(of(plain, "off")).toEqual([]);
  });

  it.each<[string, DnsEnv]>([
    ["a gap", { ...plain, gaps: ["D-Bus did not say"] }],
    ["a contradiction", { ...plain, resolvConf: { ...plain.resolvConf, author: "NetworkManager" } }],
    ["resolved restarting just now", { ...stub, resolvedOnBus: false }],
  ])("keeps what is in force on %s", (_what, env) => {
    expect(decideDnsMode(env, { mode: "auto", upstreams: [] }, [])).toMatchObject({
      mode: "off",
      keep: true,
    });
  });

  it("gives back when another owner is certain", () => {
    const env = { ...plain, resolvConf: { ...plain.resolvConf, ours: true }, networkManager: "default/file" };
    expect(decideDnsMode(env, { mode: "file", upstreams: [] }, [])).toMatchObject({
      mode: "off",
      keep: false,
    });
  });
});

it("explains the verdict in one line", () => {
  expect(ownerOf(plain)).toEqual({ owner: "plain-file", sure: true, evidence: plainTrace });
});
