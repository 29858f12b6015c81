// The policy files that `weft cilium preview` writes, read by a real agent of Cilium on two lab machines, with a third that has
// none: real connections agree with what the evaluator of the contract tests says of the same files, every one of them.
// Needs WEFT_CILIUM_DIR, a directory with cilium-agent, cilium-dbg, cilium-health-responder and bpf/ of one version.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { previewCilium } from "../../../packages/coordinator/src/cilium/preview.ts";
import { ciliumNamespace } from "../../../packages/shared/src/render/cilium-labels.ts";
import { openLab } from "../../../scripts/lab-src/lab.ts";
import { labDown, labUp } from "../../../scripts/lab-src/lifecycle.ts";
import { labNames } from "../../../scripts/lab-src/names.ts";
import { inTurns } from "../../../scripts/quickstart-src/in-turns.ts";
import { AgentMachines, type Place } from "../../support/cilium/agent-machines.ts";
import { CiliumEvaluator, type Peer } from "../../support/cilium-evaluator.ts";
import { compileText } from "../../support/policy-net.ts";
import "../../support/property-seed.ts";

const directory = process.env["WEFT_CILIUM_DIR"];
const meshes = process.env["WEFT_LONG"] === "1" ? 40 : 6;
const minutes = 60_000;
const name = `cilium-${process.pid}`;
const lab = openLab(name);
const progress = { line: () => undefined, now: () => performance.now() };
const cilium = ["web1", "api1"];
const ports = [8080, 9000, 9001, 9100, 5432];
const endpoints = { web: "web1", api: "api1", db: "api1" } as const;
type Service = keyof typeof endpoints;
const services = Object.keys(endpoints) as Service[];

const textOf = (egress: string, policies: readonly string[]): string => `weft: v1
mesh: shop
trustDomain: mesh.internal
nodes:
  hub: { address: ${lab.address("hub")} }
  web1: { address: ${lab.address("web1")} }
  api1: { address: ${lab.address("api1")} }
services:
  web: { nodes: [web1], user: web, unit: web.service, ports: { http: 8080/tcp, admin: 9000-9001/tcp } }
  api: { nodes: [api1], user: api, unit: api.service, ports: { http: 8080/tcp, admin: 9000-9001/tcp } }
  db: { nodes: [api1], user: db, unit: db.service, ports: { sql: 5432/tcp, http: 9100/tcp } }
  old: { nodes: [hub], user: old, unit: old.service, ports: { http: 8080/tcp, sql: 5432/tcp } }
policies:
${policies.map((policy, index) => `  - { name: p${index}, ${policy} }\n`).join("")}defaults: { egress: ${egress} }
`;

const peers = ["web", "api", "db", "old", "{ node: api1 }", "{ node: hub }"];
const source = fc.constantFrom(...peers, `{ cidr: ${lab.address("rogue")}/32 }`, "{ cidr: 10.77.0.0/24 }");
const arbitraryPolicy = fc
  .tuple(
    fc.uniqueArray(source, { minLength: 1, maxLength: 3 }),
    fc.constantFrom("web", "api", "db", "old"),
    fc.constantFrom("", ", ports: [http]", ", ports: [8080-9000/tcp]", ", ports: [5432/tcp]"),
    fc.constantFrom("", "", "", ", action: deny"),
  )
  .map(([from, to, some, action]) => `from: [${from.join(", ")}], to: ${to}${some}${action}`);
const arbitraryText = fc
  .tuple(fc.constantFrom("allow", "deny"), fc.array(arbitraryPolicy, { minLength: 3, maxLength: 7 }))
  .map(([egress, policies]) => textOf(egress, policies));

/** Those that parse and that Cilium can carry. */
function* previews() {
  for (const text of fc.sample(arbitraryText, meshes * 20)) {
    let compiled: ReturnType<typeof compileText>;
    try {
      compiled = compileText(text);
    } catch {
      continue; // names a port its destination does not have
    }
    const made = previewCilium(compiled.mesh, cilium);
    if (made.nodes.length > 0) yield { text, nodes: made.nodes };
  }
}

const described = directory === undefined ? describe.skip : describe;

described("an agent of Cilium, given policy files (needs WEFT_CILIUM_DIR)", () => {
  const machines = new AgentMachines(lab, { etcd: "hub", cluster: ciliumNamespace("shop") });
  const places = new Map<string, Place>();
  const place = (key: string): Place => {
    const found = places.get(key);
    if (found === undefined) throw new Error(`no place ${key}`);
    return found;
  };
  let labels: ReadonlyMap<string, readonly string[]>;

  beforeAll(async () => {
    await labUp(labNames(name), 0, progress, "cilium");
    await machines.startEtcd();
    const { mesh } = compileText(textOf("allow", []));
    const { nodes } = previewCilium(mesh, cilium);
    labels = new Map(
      nodes.flatMap((node) => node.services.map(({ service, labels: own }) => [service, own])),
    );
    for (const machine of cilium) await machines.startAgent(machine, directory ?? "");
    for (const machine of cilium) {
      await machines.untilReady(machine);
      for (const other of ["hub", "rogue"]) await machines.route(other, machine);
    }
    for (const service of services) {
      const endpoint = await machines.addEndpoint(endpoints[service], service, labels.get(service) ?? []);
      places.set(service, endpoint);
      await machines.listen(endpoint, ports);
    }
    for (const machine of ["hub", "web1", "api1", "rogue"]) {
      const itself = { machine, namespace: undefined, address: lab.address(machine) };
      places.set(machine, itself);
      if (machine === "hub") await machines.listen(itself, ports);
    }
  }, 10 * minutes);

  afterAll(() => labDown(labNames(name), progress), 2 * minutes);

  const isEndpoint = (key: string): key is Service => key in endpoints;

  function peerAt(machine: string, key: string): Peer {
    if (isEndpoint(key)) return { kind: "endpoint", labels: labels.get(key) ?? [] };
    const { address } = place(key);
    return key === machine ? { kind: "host", address } : { kind: "address", address };
  }

  it(
    `judges as the evaluator does, by ${meshes} meshes' files`,
    async () => {
      const told = { connections: 0, passed: 0 };
      let tried = 0;
      for (const { text, nodes } of previews()) {
        if (tried++ === meshes) break;
        for (const { node, services: own } of nodes)
          await machines.putPolicies(
            node,
            own.map(({ file }) => file),
            own.map(({ service }) => service),
          );
        const evaluators = new Map(
          nodes.map(({ node, services: own }) => [
            node,
            new CiliumEvaluator(own.map(({ file }) => file.text)),
          ]),
        );
        const passes = (direction: "ingress" | "egress", at: string, peer: string, port: number): boolean => {
          if (!isEndpoint(at)) return true;
          const { machine } = place(at);
          const evaluator = evaluators.get(machine);
          if (evaluator === undefined) throw new Error(`no files of ${machine}`);
          const own = labels.get(at) ?? [];
          return evaluator.passes(direction, own, peerAt(machine, peer), { protocol: "tcp", port });
        };
        const asked = [...places.keys()].flatMap((from) =>
          [...services, "hub"]
            .filter((to) => to !== from && (isEndpoint(from) || isEndpoint(to)))
            .flatMap((to) => ports.map((port) => ({ from, to, port }))),
        );
        const differences: string[] = [];
        await inTurns(asked, 24, async ({ from, to, port }) => {
          const said = passes("egress", from, to, port) && passes("ingress", to, from, port);
          const seen = await machines.connects(place(from), place(to).address, port);
          told.connections++;
          if (seen) told.passed++;
          if (seen !== said) differences.push(`${from} -> ${to}:${port} seen ${seen}, said ${said}`);
        });
        expect({ text, differences }).toEqual({ text, differences: [] });
      }
      process.stderr.write(`${JSON.stringify(told)}\n`);
      expect(tried).toBeGreaterThan(meshes);
      expect(told.passed).toBeGreaterThan(told.connections / 20);
      expect(told.passed).toBeLessThan((told.connections * 19) / 20);
    },
    (meshes + 5) * minutes,
  );

  it(
    "lets no endpoint send from another one's address; without the option it does",
    async () => {
      const { nodes } = previewCilium(
        compileText(textOf("allow", ["from: [web], to: api", "from: [db], to: api"])).mesh,
        cilium,
      );
      for (const { node, services: own } of nodes)
        await machines.putPolicies(
          node,
          own.map(({ file }) => file),
          own.map(({ service }) => service),
        );
      const [web, api, db] = [place("web"), place("api"), place("db")];
      await machines.countArrivals(api, web.address, 8080);
      expect(await machines.connects(web, api.address, 8080)).toBe(true);
      expect(await machines.arrivals(api)).toBeGreaterThan(0);
      const spoofed = async () => {
        await machines.countArrivals(api, web.address, 8080);
        await machines.sendAs(db, web.address, api.address, 8080);
        return machines.arrivals(api);
      };
      expect(await spoofed()).toBe(0);
      await machines.verifySources("api1", false);
      expect(await spoofed()).toBeGreaterThan(0);
      await machines.verifySources("api1", true);
      expect(await spoofed()).toBe(0);
    },
    6 * minutes,
  );
});
