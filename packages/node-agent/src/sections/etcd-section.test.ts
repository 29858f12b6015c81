// What a node makes of its part of the mesh's own etcd, look by look, on a machine whose keeper says what a test says.
// over 300 lines: one machine, set up once, serves all cases.
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import type { EtcdMember } from "@weft/shared/model/desired-etcd";
import {
  ciliumSvidFiles,
  ciliumSvidFolder,
  etcdPlaces,
  etcdUnit,
  memberSvidFiles,
} from "@weft/shared/render/etcd-places";
import { parseSpiffeId } from "@weft/shared/spiffe/spiffe-id";
import type { X509Context, X509Svid } from "@weft/shared/spiffe/x509-context";
import { emptyContent, sealed } from "../../../../test/support/desired.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import { makeLeaf, makeRoot } from "../../../../test/support/test-ca.ts";
import type { EtcdStanding } from "../etcd/etcd-keeper.ts";
import { OwnMember } from "../etcd/own-member.ts";
import { EtcdSection } from "./etcd-section.ts";

const never = new AbortController().signal;
const zone = "mesh.internal";
const memberOf = (node: string, address: string): EtcdMember => ({
  node,
  address,
  name: `${node}.node.${zone}`,
});
const [hub, web1] = [memberOf("hub", "10.77.0.10"), memberOf("web1", "10.77.0.11")];
const client = { node: "web1", address: "10.77.0.11", name: "web1.cilium.weft", addresses: ["10.42.1.9"] };

function desiredWith(members: readonly EtcdMember[], isClient = false): DesiredState {
  const cilium = { etcd: undefined, range: "10.42.1.0/24", ranges: "10.42.0.0/16", endpoints: [] };
  const content = {
    ...emptyContent("web1"),
    ...(members.length === 0 ? {} : { etcdCluster: { members, clients: [client] } }),
    ...(isClient ? { cilium } : {}),
  };
  return { ...sealed(content), generation: 1, revision: 1 };
}

function svidOf(id: string, dnsNames: readonly string[], root: ReturnType<typeof makeRoot>): X509Svid {
  const notAfter = new Date("2026-11-23T00:00:00Z");
  const leaf = makeLeaf(root, id, {
    commonName: dnsNames[0] ?? "",
    dnsNames,
    notBefore: new Date(0),
    notAfter,
  });
  const privateKey = leaf.keys.privateKey.export({ type: "pkcs8", format: "der" });
  return { id: parseSpiffeId(id), hint: "", chain: [leaf.der], privateKey, notAfter };
}
const certified = (root = makeRoot()): X509Context => ({
  svids: [
    svidOf("spiffe://mesh.internal/weft/etcd/web1", [web1.name, `weft-etcd.${zone}`, "localhost"], root),
    svidOf("spiffe://mesh.internal/weft/cilium/web1", [client.name, "clients.weft"], root),
  ],
  bundles: new Map([["mesh.internal", [root.der]]]),
});

let host: FakeHost;
let svids: {
  context: X509Context | undefined;
  trouble: string | undefined;
  wanted: boolean;
  want(on: boolean): void;
};
let standing: EtcdStanding;
let kept: number;
let components: Map<string, boolean>;
let fetches: string[];
let fetchFails: boolean;
/** What other members answer, by URL. */
let answers: Map<string, string>;
let section: EtcdSection;

beforeEach(() => {
  host = new FakeHost();
  svids = {
    ...{ context: certified(), trouble: undefined, wanted: false },
    want(on) {
      this.wanted = on;
    },
  };
  standing = { isOpen: false, findings: [] };
  kept = 0;
  components = new Map();
  fetches = [];
  fetchFails = false;
  answers = new Map();
  host.units.states.set(etcdUnit, { active: "inactive", enabled: false, exists: true });
  host.exec.programs.set("getent", () => ({
    stdout: `weft-etcd:x:998:${process.getgid?.() ?? 0}::/var/lib/weft-etcd:/x\n`,
  }));
  host.exec.programs.set("systemctl", () => ({}));
  host.exec.programs.set("/opt/weft/components/etcdctl", (args) => {
    const answer = answers.get(args[0]?.replace("--endpoints=", "") ?? "");
    return answer === undefined ? { code: 1, stderr: "deadline exceeded" } : { stdout: answer };
  });
  section = made();
});
afterEach(() => host.dispose());

function made(): EtcdSection {
  const store = {
    isGood: async (name: string) => components.get(name) ?? false,
    fetch: async (name: string) => {
      fetches.push(name);
      if (fetchFails) throw new WeftError("WEFT-E301", `${name} has the wrong hash`);
      components.set(name, true);
    },
  };
  const keeper = {
    keep: async () => {
      kept += 1;
      return standing;
    },
  };
  return new EtcdSection({ host, svids, member: new OwnMember({ host, components: store, svids, keeper }) });
}

const look = (desired: DesiredState) => section.reconcile(desired, never);
const settings = async (): Promise<Record<string, string>> =>
  JSON.parse((await host.files.readText(etcdPlaces.settings)) ?? "{}");
const told = (result: { readonly findings: readonly { readonly code: string; readonly detail: string }[] }) =>
  result.findings.map(({ code, detail }) => `${code}: ${detail}`);
const openUrls = "https://127.0.0.1:2379,https://10.77.0.11:2379";

describe("a node that has to do with no etcd", () => {
  it("asks for nothing and changes nothing", async () => {
    expect(await look(desiredWith([]))).toEqual({ end: "nothing", steps: [], findings: [] });
    expect(svids.wanted).toBe(false);
    expect([host.units.calls, host.exec.calls, fetches]).toEqual([[], [], []]);
  });
});

describe("the only member", () => {
  const only = desiredWith([web1]);

  it("is fetched, certified, configured and started, in this order, and found so at the next look", async () => {
    const { steps, findings } = await look(only);
    expect(findings).toEqual([]);
    expect(steps.map(({ step, subject }) => `${step} ${subject}`)).toEqual([
      ...["etcd", "etcdctl", "etcdutl"].map((name) => `fetchComponent ${name}`),
      `writeFiles ${memberSvidFiles.certificate}`,
      `writeFiles /etc/weft/etcd/svid/bundle.pem`,
      `writeFiles ${etcdPlaces.hosts} and 1 more`,
      ...[`enableUnit ${etcdUnit}`, `startUnit ${etcdUnit}`],
    ]);
    expect(await settings()).toMatchObject({
      name: web1.name,
      "initial-cluster-state": "new",
      "listen-client-urls": "https://127.0.0.1:2379",
    });
    expect((await host.files.info(memberSvidFiles.key))?.mode).toBe(0o640);
    expect(await host.files.readText(etcdPlaces.hosts)).toContain("10.77.0.11 web1.node.mesh.internal\n");
    expect([svids.wanted, kept]).toEqual([true, 1]);
    expect(await look(only)).toEqual({ end: "nothing", steps: [], findings: [] });
    expect(kept).toBe(2);
  });

  it("opens its port for good once users are in force, and makes no second cluster from then on", async () => {
    await look(only);
    standing = { isOpen: true, findings: [] };
    host.units.calls.length = 0;
    await look(only);
    expect(host.units.calls).toEqual([`stop ${etcdUnit}`, `start ${etcdUnit}`]);
    expect(await settings()).toMatchObject({
      "listen-client-urls": openUrls,
      "initial-cluster-state": "existing",
    });
    // an agent that begins anew, and an etcd that does not answer it
    standing = { isOpen: false, findings: [{ code: "ETCD_DOWN", detail: "away" }] };
    section = made();
    host.units.calls.length = 0;
    expect(told(await look(only))).toEqual(["ETCD_DOWN: away"]);
    expect((await settings())["listen-client-urls"]).toBe(openUrls);
    expect(host.units.calls).toEqual([]);
  });

  it("waits for its certificate, and says what is wrong with it", async () => {
    svids.context = undefined;
    svids.trouble = "the Workload API has no identity for this process";
    expect(told(await look(only))).toEqual([
      "ETCD_DOWN: it waits for its certificate: the Workload API has no identity for this process",
    ]);
    expect(host.units.calls).toEqual([]);
  });

  it("takes a newer certificate without a restart, and another bundle with one", async () => {
    const root = makeRoot();
    svids.context = certified(root);
    await look(only);
    host.units.calls.length = 0;
    svids.context = certified(root);
    expect((await look(only)).steps).toMatchObject([{ subject: memberSvidFiles.certificate }]);
    expect(host.units.calls).toEqual([]);
    svids.context = certified();
    await look(only);
    expect(host.units.calls).toEqual([`stop ${etcdUnit}`, `start ${etcdUnit}`]);
  });

  it("is left to systemd while it keeps ending, and is said to be down", async () => {
    await look(only);
    host.units.states.set(etcdUnit, { active: "activating", enabled: true, exists: true });
    host.units.calls.length = 0;
    expect(told(await look(only))).toEqual([`ETCD_DOWN: ${etcdUnit} is activating`]);
    expect([host.units.calls, kept]).toEqual([[], 1]);
  });

  it("does not ask for bytes that were refused at every look", async () => {
    fetchFails = true;
    for (let looks = 0; looks < 3; looks += 1)
      expect(told(await look(only))).toEqual(["COMPONENT_MISSING: etcd has the wrong hash"]);
    expect(fetches).toEqual(["etcd"]);
    host.clock.advance(60_000);
    await look(only);
    expect(fetches).toEqual(["etcd", "etcd"]);
  });

  it("needs the user that the installation makes", async () => {
    host.exec.programs.set("getent", () => ({ code: 2 }));
    expect(told(await look(only))).toEqual(["ETCD_DOWN: there is no user weft-etcd"]);
  });

  it("passes on what its keeper finds", async () => {
    standing = { isOpen: true, findings: [{ code: "ETCD_ALARM", detail: "NOSPACE" }] };
    expect(told(await look(only))).toEqual(["ETCD_ALARM: NOSPACE"]);
  });
});

describe("one of several members", () => {
  const both = desiredWith([hub, web1]);
  const hubUrl = "https://hub.node.mesh.internal:2379";
  const hubLine = `a1, started, hub, https://hub.node.mesh.internal:2380, ${hubUrl}, false\n`;
  const ownLine = "b2, unstarted, , https://web1.node.mesh.internal:2380, , true\n";

  it("waits for the first of them, then to be added, then joins what is there", async () => {
    expect(told(await look(both))).toEqual([expect.stringContaining("it waits for hub")]);
    answers.set(hubUrl, hubLine);
    expect(told(await look(both))).toEqual([expect.stringContaining("to add it")]);
    expect(host.units.calls).toEqual([]);
    answers.set(hubUrl, hubLine + ownLine);
    expect(await look(both)).toMatchObject({ findings: [] });
    expect(await settings()).toMatchObject({
      "initial-cluster":
        "hub.node.mesh.internal=https://hub.node.mesh.internal:2380,web1.node.mesh.internal=https://web1.node.mesh.internal:2380",
      "initial-cluster-state": "existing",
    });
    // it goes by what it has: nobody is asked any more
    answers.clear();
    expect(await look(both)).toEqual({ end: "nothing", steps: [], findings: [] });
  });

  it("joins anew when the others removed it and added it again without its hearing of it", async () => {
    answers.set(hubUrl, hubLine + ownLine);
    standing = { isOpen: true, findings: [] };
    await look(both);
    host.units.states.set(etcdUnit, { active: "activating", enabled: true, exists: true });
    answers.set(hubUrl, hubLine + ownLine.replace("unstarted", "started"));
    expect(told(await look(both))).toEqual([`ETCD_DOWN: ${etcdUnit} is activating`]);
    answers.set(hubUrl, hubLine + ownLine);
    expect(told(await look(both))).toEqual([expect.stringContaining("it joins anew")]);
    expect(host.exec.calls.filter((call) => call.includes("clean --what=state"))).toHaveLength(1);
    expect(await look(both)).toMatchObject({ findings: [] });
    expect((await settings())["initial-cluster-state"]).toBe("existing");
  });

  it("begins, as the first of them, when none has answered for a while", async () => {
    const first = desiredWith([web1, memberOf("zoo", "10.77.0.19")]);
    await host.files.write(`${etcdPlaces.backups}/etcd-20261130T114651Z.db`, "a copy");
    await look(first);
    host.clock.advance(60_000);
    expect(told(await look(first))).toEqual([expect.stringContaining("it was a member before")]);
    await host.files.removeTree(etcdPlaces.backups);
    section = made();
    expect(told(await look(first))).toEqual([expect.stringContaining("no other member answers")]);
    host.clock.advance(30_000);
    expect(await look(first)).toMatchObject({ findings: [] });
    expect((await settings())["initial-cluster"]).toBe(
      "web1.node.mesh.internal=https://web1.node.mesh.internal:2380",
    );
  });
});

describe("a member that is wanted no more", () => {
  it("is gone, certificate and all", async () => {
    await look(desiredWith([web1]));
    answers.set(
      "https://localhost:2379",
      "b2, started, web1, https://web1.node.mesh.internal:2380, , false\n",
    );
    expect((await look(desiredWith([]))).steps).toMatchObject([{ step: "takeDown", result: "done" }]);
    expect(await host.files.list("/etc/weft")).toEqual([]);
    expect([await host.units.state(etcdUnit), svids.wanted]).toEqual([
      { active: "inactive", enabled: false, exists: true },
      false,
    ]);
  });

  it("stays for two minutes if the others do not answer, and goes then", async () => {
    await look(desiredWith([web1]));
    const gone = desiredWith([]);
    expect(told(await look(gone))).toEqual([expect.stringContaining("do not let this one go yet")]);
    host.clock.advance(119_000);
    expect((await look(gone)).findings).toHaveLength(1);
    host.clock.advance(1_000);
    expect((await look(gone)).findings).toEqual([]);
    expect(await host.files.list("/etc/weft")).toEqual([]);
  });
});

describe("a node whose Cilium uses it", () => {
  const using = desiredWith([hub], true);

  it("has its certificate, and runs nothing", async () => {
    expect(await look(using)).toMatchObject({ findings: [] });
    expect((await host.files.info(ciliumSvidFiles.key))?.mode).toBe(0o600);
    expect(await host.files.readText(ciliumSvidFiles.bundle)).toContain("BEGIN CERTIFICATE");
    expect([fetches, kept, svids.wanted]).toEqual([[], 0, true]);
    expect(await look(using)).toEqual({ end: "nothing", steps: [], findings: [] });
  });

  it("stops the agent for another bundle, and for nothing else", async () => {
    const root = makeRoot();
    svids.context = certified(root);
    await look(using);
    host.units.calls.length = 0;
    svids.context = certified(root);
    await look(using);
    expect(host.units.calls).toEqual([]);
    svids.context = certified();
    await look(using);
    expect(host.units.calls).toEqual(["stop weft-cilium.service"]);
    // with rules of before in force its section is not looked at: one that ran runs on
    host.units.states.set("weft-cilium.service", { active: "active", enabled: true, exists: true });
    host.units.calls.length = 0;
    svids.context = certified();
    await look(using);
    expect(host.units.calls).toEqual(["stop weft-cilium.service", "start weft-cilium.service"]);
  });

  it("has none any more when Cilium goes, or takes another etcd", async () => {
    await look(using);
    await look(desiredWith([hub]));
    expect(await host.files.info(ciliumSvidFolder)).toBeUndefined();
  });

  it("says what its certificate lacks, beside what its member does", async () => {
    svids.context = undefined;
    expect(told(await look(desiredWith([web1], true)))).toEqual([
      "CILIUM_DOWN: it waits for its certificate",
      "ETCD_DOWN: it waits for its certificate",
    ]);
  });
});
