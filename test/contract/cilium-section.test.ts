// The section that brings services into namespaces with endpoints, with an agent that does what a recorded one did, on a machine
// on which every change is seen in its order, and any can fail.
// over 300 lines: all cases stand on the same two services, and are read against each other

import { cpSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { endpointLink } from "../../packages/shared/src/render/cilium-endpoint-link.ts";
import { dropInFile } from "../../packages/shared/src/render/cilium-places.ts";
import { ciliumSvidFiles } from "../../packages/shared/src/render/etcd-places.ts";
import { policyDirectory } from "../support/cilium/agent-world.ts";
import type { EndpointMachine } from "../support/cilium/endpoint-machine.ts";
import { desiredWith, endpointOf } from "../support/cilium/endpoint-samples.ts";
import { SectionWorld } from "../support/cilium/section-world.ts";

const [api, web] = [endpointOf("api", 80), endpointOf("web", 82)];
const both = desiredWith([api, web]);
const linkOf = (service: string) => endpointLink("api1", service).name;
const insideOf = (service: string) => `/run/netns/weft-${service}`;

let own: SectionWorld;
let machine: EndpointMachine;
beforeEach(() => {
  own = new SectionWorld();
  machine = own.machine;
  machine.addUnit("api.service", "api");
  machine.addUnit("web.service", "web");
});
afterEach(() => own.dispose());

const endpoints = () => own.world.agent.endpoints.all;
const ofWeft = () => [...endpoints().keys()].filter((owner) => owner.startsWith("weft-"));
const policies = () => own.world.host.files.list(policyDirectory);
const codes = (result: { readonly findings: readonly { readonly code: string }[] }) =>
  result.findings.map(({ code }) => code);
/** In place, with nothing to tell; what comes after is seen alone. */
async function placed(desired = both): Promise<void> {
  expect((await own.look(desired)).findings).toEqual([]);
  machine.events.length = 0;
}
/** Places of the first event that matches, in order. */
const order = (...patterns: RegExp[]) =>
  patterns.map((pattern) => machine.events.findIndex((event) => pattern.test(event)));
function expectOrder(...patterns: RegExp[]): void {
  const found = order(...patterns);
  expect(found).not.toContain(-1);
  expect(found).toEqual([...found].sort((a, b) => a - b));
}

describe("the first move", () => {
  it("has policies before endpoints, these before links, these before units, and ports last", async () => {
    const result = await own.look(both);
    expect(result).toMatchObject({ end: "done", findings: [] });
    const told = /^(?!write (?!.*(policies(\.confirmed)?\/|service\.d\/)))(?!remove ).*/;
    const placing = (service: string, last: number) => [
      `POST /v1/ipam/10.42.1.${last}?owner=weft-${service}&pool=default`,
      "PUT /v1/endpoint/cilium-local:0",
      `ip link set dev ${linkOf(service)} up`,
      `write ${dropInFile(`${service}.service`)}`,
      "reload",
      `restart ${service}.service`,
    ];
    expect(machine.seen(told)).toEqual([
      "start weft-netns@api.service",
      "start weft-netns@web.service",
      "stop weft-cilium.service",
      "enable weft-cilium.service",
      "stop weft-cilium.service",
      "start weft-cilium.service",
      `write ${policyDirectory}/weft-api.yaml`,
      `write ${policyDirectory}.confirmed/weft-api.yaml`,
      `write ${policyDirectory}/weft-web.yaml`,
      `write ${policyDirectory}.confirmed/weft-web.yaml`,
      ...placing("api", 80),
      ...placing("web", 82),
      "nft -f -",
    ]);
    expect([...machine.networks]).toEqual([
      ["api.service", insideOf("api")],
      ["web.service", insideOf("web")],
    ]);
    expect(machine.table).toContain("dport { 8080 } dnat to 10.42.1.80");
    expect(result.steps.map(({ step, subject }) => `${step} ${subject}`)).toEqual([
      "writeFiles /etc/weft/cilium/resolv.conf",
      "makeNamespace api",
      "makeNamespace web",
      expect.stringMatching(/^writeFiles \/etc\/weft\/cilium\/agent\.d\/\S+ and \d+ more$/),
      "enableUnit weft-cilium.service",
      "startUnit weft-cilium.service",
      `openLink ${linkOf("api")}`,
      "moveUnit api.service",
      `openLink ${linkOf("web")}`,
      "moveUnit web.service",
      "publishPorts ip weft_endpoints",
    ]);
  });

  it("opens a link when its endpoint is ready, and makes that when its policy is loaded", async () => {
    own.world.agent.endpoints.buildMs = 9_000;
    const states: unknown[] = [];
    machine.onEvent = (event) => {
      if (event.startsWith("PUT")) states.push([...own.world.engine.loaded.keys()]);
      if (event.startsWith("ip link")) states.push(endpoints().get("weft-api")?.state);
    };
    await placed(desiredWith([api]));
    expect(states).toEqual([["weft-api.yaml"], "ready"]);
  });

  it("gives the endpoint the link's number and addresses, and the labels of its SPIFFE ID", async () => {
    await placed(desiredWith([api]));
    const { outsideMac, insideMac, name } = endpointLink("api1", "api");
    expect(endpoints().get("weft-api")).toMatchObject({
      address: api.address,
      link: name,
      index: machine.links.get(name)?.index,
      mac: insideMac,
      hostMac: outsideMac,
      labels: expect.arrayContaining(["spiffe:path=api", "k8s:io.kubernetes.pod.namespace=weft-shop"]),
    });
  });

  it("gives the agent the compiler that was found", async () => {
    await placed();
    const link = await own.world.host.files.info("/etc/weft/cilium/bin/clang");
    expect(link).toMatchObject({ kind: "symlink", target: "/usr/bin/clang-19" });
  });
});

describe("an agent that uses the mesh's own etcd", () => {
  const wanted = desiredWith([api], { etcd: undefined });
  const members = [{ node: "hub", address: "10.77.0.10", name: "hub.node.mesh.internal" }];
  const desired = { ...wanted, etcdCluster: { members, clients: [] } };

  it("is not started before it has its certificate, and is started with it", async () => {
    expect(await own.look(desired)).toMatchObject({
      findings: [{ code: "CILIUM_DOWN", detail: expect.stringContaining("waits for its certificate") }],
    });
    expect(machine.seen(/^(re)?start weft-cilium.*/)).toEqual([]);
    for (const path of Object.values(ciliumSvidFiles)) await own.world.host.files.write(path, "PEM");
    await placed(desired);
    const config = JSON.parse((await own.world.host.files.readText("/etc/weft/cilium/etcd.yaml")) ?? "");
    expect(config).toEqual({
      endpoints: ["https://hub.node.mesh.internal:2379"],
      "trusted-ca-file": ciliumSvidFiles.bundle,
      "cert-file": ciliumSvidFiles.certificate,
      "key-file": ciliumSvidFiles.key,
    });
  });
});

describe("the second look", () => {
  it("changes nothing and takes no step", async () => {
    await placed();
    expect(await own.look(both)).toEqual({ end: "nothing", steps: [], findings: [] });
    expect(machine.events).toEqual([]);
  });

  it("of a node agent that began anew loads the ports, and nothing else", async () => {
    await placed();
    own.restartAgent();
    expect(await own.look(both)).toMatchObject({ steps: [{ step: "publishPorts" }], findings: [] });
    expect(machine.events).toEqual(["nft -f -"]);
  });

  it("after a link was lost makes it and its endpoint anew, under the service", async () => {
    await placed();
    machine.links.delete(linkOf("api"));
    expect(await own.look(both)).toMatchObject({ findings: [] });
    expectOrder(/^reloadUnit weft-netns@api/, /^DELETE \/v1\/endpoint\//, /^PUT/, /^ip link set/);
    expect(machine.seen(/^re?start .*/)).toEqual([]);
    expect(endpoints().get("weft-api")?.index).toBe(machine.links.get(linkOf("api"))?.index);
  });

  it("after a namespace was lost starts the service again in a new one", async () => {
    await placed();
    rmSync(join(own.world.host.root, insideOf("api")));
    expect(await own.look(both)).toMatchObject({ findings: [] });
    expect(machine.seen(/^restart .*/)).toEqual(["restart weft-netns@api.service", "restart api.service"]);
    expect(machine.links.get(linkOf("api"))?.isUp).toBe(true);
  });

  it("gives a service its other address inside as well, where it has to have another", async () => {
    await placed();
    expect(await own.look(desiredWith([{ ...api, address: "10.42.1.90" }, web]))).toMatchObject({
      findings: [],
    });
    expect(endpoints().get("weft-api")?.address).toBe("10.42.1.90");
    expect(machine.insideAddresses.get("api")).toBe("10.42.1.90");
    expect(machine.insideAddresses.get("web")).toBe(web.address);
    expect(machine.seen(/^restart .*/)).toEqual(["restart weft-netns@api.service", "restart api.service"]);
  });

  it("gives namespaces the MTU of the machine's link, when that is another, under their services", async () => {
    await placed();
    machine.nodeLink = { ifname: "eth0", mtu: 9000 };
    expect(await own.look(both)).toMatchObject({ findings: [] });
    expect(machine.seen(/^re(start|load).*/)).toEqual([
      "reloadUnit weft-netns@api.service",
      "reloadUnit weft-netns@web.service",
    ]);
    expect(await own.look(both)).toMatchObject({ end: "nothing" });
  });

  it("tries a change of address again when it failed", async () => {
    await placed();
    const moved = desiredWith([{ ...api, address: "10.42.1.90" }, web]);
    machine.failing.add("restart weft-netns@api.service");
    expect(codes(await own.look(moved))).toEqual(["CILIUM_PARTIAL"]);
    machine.failing.clear();
    expect(await own.look(moved)).toMatchObject({ findings: [] });
    expect(machine.insideAddresses.get("api")).toBe("10.42.1.90");
  });
});

describe("one service that cannot be moved leaves the others", () => {
  const onlyApi = () => {
    expect(machine.networks.get("api.service")).toBe(insideOf("api"));
    expect(machine.networks.get("web.service")).toBe("machine");
    expect(machine.table).toContain(api.address);
    expect(machine.table).not.toContain(web.address);
  };

  it.each<[string, () => void, string | RegExp]>([
    ["its unit is root's", () => machine.users.set("web.service", "root"), /runs as root, not as web/],
    [
      "its namespace is not made",
      () => machine.failing.add("start weft-netns@web.service"),
      /weft-netns@web\.service failed/,
    ],
    [
      "its endpoint is refused",
      () => own.world.agent.endpoints.claims.set(web.address, "somebody"),
      /10\.42\.1\.82 of weft-web is taken.*somebody/,
    ],
    ["its unit does not start", () => machine.failing.add("restart web.service"), /restart web\.service/],
  ])("%s", async (_, spoil, detail) => {
    spoil();
    const result = await own.look(both);
    expect(result.findings[0]).toMatchObject({
      code: "CILIUM_PARTIAL",
      detail: expect.stringMatching(detail),
    });
    onlyApi();
    expect(own.section.realised).toBeUndefined();
  });

  it("and the first in the row does not either", async () => {
    machine.users.set("api.service", "root");
    expect(codes(await own.look(both))).toEqual(["CILIUM_PARTIAL"]);
    expect(machine.networks.get("web.service")).toBe(insideOf("web"));
    expect(machine.table).not.toContain(api.address);
  });

  it("and its ports are published as soon as it can be", async () => {
    machine.users.set("web.service", "root");
    await own.look(both);
    machine.users.set("web.service", "web");
    expect(await own.look(both)).toMatchObject({ findings: [] });
    expect(machine.table).toContain(web.address);
  });
});

describe("an agent that is not as it was asked to be", () => {
  it.each<[string, string, unknown, RegExp]>([
    ["source addresses are not checked", "EnableSourceIPVerification", false, /does not check source/],
    ["it does not say whether they are", "EnableSourceIPVerification", undefined, /does not check source/],
    ["enable-policy is default", "EnablePolicy", "default", /enable-policy is default, not always/],
    ["enable-policy is not told", "EnablePolicy", undefined, /enable-policy is not told, not always/],
    ["ranges do not match nodes", "PolicyCIDRMatchMode", [], /policy-cidr-match-mode is not nodes/],
    ["its range is another", "IPv4Range", "10.43.0.0/24", /10\.43\.0\.0\/24, not of 10\.42\.1\.0\/24/],
  ])("gets no endpoint: %s", async (_, option, value, detail) => {
    own.config[option] = value;
    const result = await own.look(both);
    expect(result.findings).toMatchObject([
      { code: "CILIUM_PARTIAL", detail: expect.stringMatching(detail) },
    ]);
    expect(ofWeft()).toEqual([]);
    expect(await policies()).toEqual([]);
    expect([...machine.links.values()].map(({ isUp }) => isUp)).toEqual([false, false]);
    expect(new Set(machine.networks.values())).toEqual(new Set(["machine"]));
    expect(machine.table).toBeUndefined();
    expect(own.section.realised).toBeUndefined();
  });
});

describe("an agent that is down", () => {
  it("is CILIUM_DOWN, and nothing is changed", async () => {
    await placed();
    await own.world.agent.close();
    const result = await own.look(desiredWith([{ ...api, ports: [] }]));
    expect(result.findings).toMatchObject([
      { code: "CILIUM_DOWN", detail: expect.stringContaining("no Cilium agent runs") },
    ]);
    expect(result.end).toBe("nothing");
    expect(machine.events).toEqual([]);
    expect(await policies()).toEqual(["weft-api.yaml", "weft-web.yaml"]);
  });

  it("is waited for, for 15 s, and once: names and identity wait with it", async () => {
    own.world.agent.endpoints.hasStore = false;
    const { clock } = own.world;
    const before = clock.now().getTime();
    const result = await own.look(both);
    expect(result.findings).toMatchObject([
      { code: "CILIUM_DOWN", detail: expect.stringContaining("Kvstore service is not ready") },
    ]);
    expect(clock.now().getTime() - before).toBeGreaterThanOrEqual(15_000);
    expect(clock.now().getTime() - before).toBeLessThan(20_000);
    const again = clock.now().getTime();
    expect(await own.look(both)).toMatchObject({ findings: [{ code: "CILIUM_DOWN" }] });
    expect(clock.now().getTime() - again).toBeLessThan(1_000);
    own.world.agent.endpoints.hasStore = true;
    expect(await own.look(both)).toMatchObject({ findings: [] });
  });

  it("is started again, with other options once more", async () => {
    await placed();
    const { host } = own.world;
    host.units.states.set("weft-cilium.service", { active: "failed", enabled: true, exists: true });
    expect(await own.look(both)).toMatchObject({ findings: [] });
    expect(machine.seen(/^start weft-cilium.*/)).toHaveLength(1);
    await host.files.write("/etc/weft/cilium/agent.d/enable-policy", "never");
    expect(await own.look(both)).toMatchObject({ findings: [] });
    expect(machine.seen(/^start weft-cilium.*/)).toHaveLength(2);
  });

  it("gets what is new although it did not stop for it the first time", async () => {
    await placed();
    const other = desiredWith([api, web], { ranges: "10.40.0.0/13" });
    machine.failing.add("stop weft-cilium.service");
    expect(codes(await own.look(other))).toEqual(["CILIUM_PARTIAL"]);
    machine.failing.clear();
    expect(await own.look(other)).toMatchObject({ findings: [] });
    expect(machine.seen(/^start weft-cilium.*/)).toHaveLength(1);
  });
});

describe("other programs in the operator's folder", () => {
  const programs = "/opt/weft/cilium";
  const at = (path: string) => join(own.world.host.root, path);
  const replaced = (path: string) => utimesSync(at(path), new Date(), new Date(Date.now() + 60_000));
  const lifecycle = () => machine.seen(/^(start|stop|restart) .*/);

  it.each(["cilium-agent", "cilium-dbg", "bpf"])(
    "%s: the agent is started from them, once, and nothing else is",
    async (program) => {
      await placed();
      replaced(`${programs}/${program}`);
      const result = await own.look(both);
      expect(result).toMatchObject({ end: "done", findings: [] });
      expect(result.steps.map(({ step, subject }) => `${step} ${subject}`)).toEqual([
        "writeFiles /etc/weft/cilium/started",
        "startUnit weft-cilium.service",
      ]);
      expect(lifecycle()).toEqual([
        "stop weft-cilium.service",
        "stop weft-cilium.service",
        "start weft-cilium.service",
      ]);
      expect(machine.seen(/^(PUT|PATCH|POST|DELETE) .*/)).toEqual([]);
      machine.events.length = 0;
      expect(await own.look(both)).toEqual({ end: "nothing", steps: [], findings: [] });
      expect(machine.events).toEqual([]);
    },
  );

  it("a folder in the place of another, its clang included", async () => {
    await placed();
    cpSync(at(programs), at(`${programs}.new`), { recursive: true });
    mkdirSync(at(`${programs}.new/bin`));
    writeFileSync(at(`${programs}.new/bin/clang`), "");
    renameSync(at(programs), at(`${programs}.old`));
    expect(codes(await own.look(both))).toEqual(["CILIUM_MISSING"]);
    expect(lifecycle()).toEqual([]);
    renameSync(at(`${programs}.new`), at(programs));
    expect(await own.look(both)).toMatchObject({ findings: [] });
    expect(machine.seen(/^start .*/)).toEqual(["start weft-cilium.service"]);
    expect(await own.world.host.files.info("/etc/weft/cilium/bin/clang")).toMatchObject({
      target: `${programs}/bin/clang`,
    });
  });

  it("sets a policy file aside that the new agent would not start over", async () => {
    await placed();
    writeFileSync(at(`${policyDirectory}/foreign.yaml`), "nonsense");
    replaced(`${programs}/cilium-agent`);
    expect(await own.look(both)).toMatchObject({ findings: [] });
    expect(own.warnings).toEqual([expect.stringContaining("foreign.yaml")]);
    expectOrder(/^stop weft-cilium/, /foreign\.yaml/, /^start weft-cilium/);
  });

  it("are not forgotten when the agent did not stop for them", async () => {
    await placed();
    replaced(`${programs}/cilium-agent`);
    machine.failing.add("stop weft-cilium.service");
    expect(codes(await own.look(both))).toEqual(["CILIUM_PARTIAL"]);
    machine.failing.clear();
    expect(await own.look(both)).toMatchObject({ findings: [] });
    expect(machine.seen(/^start weft-cilium.*/)).toHaveLength(1);
  });

  it("are nothing new to a node agent that begins anew", async () => {
    await placed();
    own.restartAgent();
    await own.look(both);
    expect(lifecycle()).toEqual([]);
  });
});

it.each(["/opt/weft/cilium/cilium-agent", "/opt/weft/cilium/bpf", "/usr/bin/clang-19"])(
  "without %s it is CILIUM_MISSING, and nothing is changed",
  async (path) => {
    rmSync(join(own.world.host.root, path));
    const result = await own.look(both);
    expect(codes(result)).toEqual(["CILIUM_MISSING"]);
    expect(machine.events).toEqual([]);
  },
);

describe("a service that leaves the mesh", () => {
  const left = desiredWith([api]);

  it("is on the machine's own network again before its endpoint and namespace go", async () => {
    await placed();
    expect(await own.look(left)).toMatchObject({ end: "done", findings: [] });
    expectOrder(
      /^remove .*\/policies\/weft-web\.yaml/,
      /^restart web\.service/,
      /^nft -f -/,
      /^DELETE \/v1\/endpoint\/container-id:weft-web/,
      /^stop weft-netns@web\.service/,
      /^remove \/etc\/weft\/cilium\/endpoints\/web/,
    );
    expect(machine.networks.get("web.service")).toBe("machine");
    expect((await own.world.host.units.state("web.service")).active).toBe("active");
    expect(machine.table).not.toContain(web.address);
    expect(ofWeft()).toEqual(["weft-api"]);
    expect([...machine.links.keys()]).toEqual([linkOf("api")]);
    expect(await policies()).toEqual(["weft-api.yaml"]);
    expect(await own.world.host.files.list("/etc/weft/cilium/endpoints")).toEqual(["api"]);
    expect(machine.seen(/^(re)?start .*api.*/)).toEqual([]);
    machine.events.length = 0;
    expect(await own.look(left)).toEqual({ end: "nothing", steps: [], findings: [] });
  });

  it("and cannot be returned keeps its namespace, and does not keep the others", async () => {
    await placed(desiredWith([web]));
    machine.failing.add("reload");
    const result = await own.look(desiredWith([{ ...api, unit: "api.service" }]));
    machine.failing.clear();
    expect(result.findings[0]).toMatchObject({
      code: "CILIUM_PARTIAL",
      detail: expect.stringMatching(/reload failed/),
    });
    expect(machine.insideAddresses.get("web")).toBe(web.address);
    expect(ofWeft()).toContain("weft-api");
    expect(await own.look(left)).toMatchObject({ findings: [] });
    expect(machine.networks.get("web.service")).toBe("machine");
    expect([...machine.insideAddresses.keys()]).toEqual(["api"]);
  });

  it("and one that gets another unit: the old one is returned, and the new one moved", async () => {
    await placed(desiredWith([api]));
    machine.addUnit("api2.service", "api");
    expect(await own.look(desiredWith([{ ...api, unit: "api2.service" }]))).toMatchObject({ findings: [] });
    expect(machine.networks.get("api.service")).toBe("machine");
    expect(machine.networks.get("api2.service")).toBe(insideOf("api"));
  });
});

describe("the way back", () => {
  const back = desiredWith(undefined);

  it("is taken once, and not again when nothing is left", async () => {
    await placed();
    const result = await own.look(back);
    expect(result).toMatchObject({
      end: "done",
      findings: [],
      steps: [{ step: "takeDown", result: "done" }],
    });
    expect(new Set(machine.networks.values())).toEqual(new Set(["machine"]));
    expect(machine.table).toBeUndefined();
    machine.events.length = 0;
    expect(await own.look(back)).toEqual({ end: "nothing", steps: [], findings: [] });
    expect(machine.events).toEqual([]);
  });

  it("is realised when it is done, not before", async () => {
    await placed();
    machine.failing.add("start weft-cilium-down.service");
    const result = await own.look(back);
    expect(result).toMatchObject({ steps: [{ step: "takeDown", result: "failed" }] });
    expect(codes(result)).toEqual(["CILIUM_PARTIAL"]);
    expect(own.section.realised).toBeUndefined();
    machine.failing.clear();
    expect(await own.look(back)).toMatchObject({ findings: [] });
    expect(own.section.realised?.digest).toBe(back.digest);
  });

  it("and there again", async () => {
    await placed();
    await own.look(back);
    await placed();
    expect(machine.networks.get("api.service")).toBe(insideOf("api"));
  });

  it("is remembered as wanted once, only where it was", async () => {
    await own.look(back);
    expect(own.section.wasHere).toBe(false);
    await own.look(both);
    await own.look(back);
    expect(own.section.wasHere).toBe(true);
  });
});

describe("realised", () => {
  it("is said since the first look without a finding", async () => {
    await placed();
    const first = own.section.realised;
    expect(first?.digest).toBe(both.digest);
    await own.world.clock.sleep(5_000);
    await own.look(both);
    expect(own.section.realised).toEqual(first);
  });

  it("is not said while an endpoint enforces an older policy", async () => {
    const { agent, clock } = own.world;
    const lag = (response: { end(text: string): void }, text: string) =>
      response.end(text.replace(/"policy-revision": \d+/g, '"policy-revision": 0'));
    agent.behaviours.set("endpoint", lag);
    const before = clock.now().getTime();
    const result = await own.look(both);
    expect(result.findings).toMatchObject([
      { code: "CILIUM_PARTIAL", detail: "the policy is not in force at weft-api, weft-web yet" },
    ]);
    expect(clock.now().getTime() - before).toBeGreaterThanOrEqual(15_000);
    expect(own.section.realised).toBeUndefined();
    agent.behaviours.delete("endpoint");
    await own.look(both);
    expect(own.section.realised?.digest).toBe(both.digest);
  });

  it("is not said while the agent does not take a policy file up", async () => {
    own.world.engine.refuses = (text) => text.includes("spiffe://mesh.internal/web");
    const result = await own.look(both);
    expect(result.findings).toMatchObject([
      { code: "CILIUM_PARTIAL", detail: expect.stringContaining("has not taken up weft-web.yaml") },
    ]);
    expect(own.section.realised).toBeUndefined();
  });
});

describe("a policy file that no agent was seen to load", () => {
  it("is set aside before the agent starts, which would end over it", async () => {
    await own.world.host.files.write(`${policyDirectory}/weft-web.yaml`, "specs: 7\n");
    await own.world.host.files.write(`${policyDirectory}/other.yaml`, "specs: 7\n");
    machine.onEvent = (event) => {
      if (event === "start weft-cilium.service") atStart.push(...own.warnings);
    };
    const atStart: string[] = [];
    await placed();
    expect(atStart).toEqual(["cilium: set aside, since no agent has loaded it: other.yaml, weft-web.yaml"]);
    expect(await own.world.host.files.list(`${policyDirectory}.aside`)).toEqual([
      "other.yaml",
      "weft-web.yaml",
    ]);
    await own.world.clock.sleep(10_000);
    expect(await own.look(both)).toMatchObject({ findings: [] });
    expect(own.world.engine.ended).toBeUndefined();
  });

  it("and one that is confirmed is there when it starts again", async () => {
    await placed();
    own.world.host.units.states.set("weft-cilium.service", {
      active: "failed",
      enabled: true,
      exists: true,
    });
    let loaded: string[] = [];
    const ready = own.world.client.hostReady.bind(own.world.client);
    own.world.client.hostReady = (options) => {
      loaded = [...own.world.engine.loaded.keys()];
      return ready(options);
    };
    expect(await own.look(both)).toMatchObject({ findings: [] });
    expect(loaded).toEqual(["weft-api.yaml", "weft-web.yaml"]);
    expect(own.warnings).toEqual([]);
  });
});
