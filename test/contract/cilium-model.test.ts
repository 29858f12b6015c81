// Random small meshes, some nodes of each taken to enforce with Cilium: what the files say, read as text by an evaluator of
// Cilium's own meaning, must be what the oracle says of the mesh file, between every two services and with the outside. Where
// it is not, docs/cilium.md names the difference, and here it is asked for as it is named. 300 meshes; WEFT_LONG=1: 10,000.
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { previewCilium as preview } from "../../packages/coordinator/src/cilium/preview.ts";
import { refusalsOf as policyFileRefusals } from "../../packages/shared/src/cilium-file/policy-file.ts";
import type { Mesh } from "../../packages/shared/src/model/mesh.ts";
import { arbitraryMesh, hosts, meshNodes } from "../support/arbitrary-mesh.ts";
import { calmed } from "../support/cilium/enforcing-mesh.ts";
import { CiliumEvaluator, type Peer } from "../support/cilium-evaluator.ts";
import { type Asked, Oracle } from "../support/oracle.ts";
import { compileText, hubPorts } from "../support/policy-net.ts";
import "../support/property-seed.ts";

const meshes = process.env["WEFT_LONG"] === "1" ? 10_000 : 300;

interface Sender {
  readonly node: string | undefined;
  readonly user: string;
  readonly service: string | undefined;
  readonly address: string;
}

class Case {
  readonly differences: string[] = [];
  readonly told = { compared: 0, passed: 0, mixed: 0, outside: 0 };
  readonly #mesh: Mesh;
  readonly #oracle: Oracle;
  readonly #files: ReadonlyMap<string, CiliumEvaluator>;
  readonly #labels: ReadonlyMap<string, readonly string[]>;

  constructor(mesh: Mesh, nodes: Previewed) {
    this.#mesh = mesh;
    this.#oracle = new Oracle(mesh, hubPorts);
    this.#files = new Map(
      nodes.map(({ node, services }) => [node, new CiliumEvaluator(services.map(({ file }) => file.text))]),
    );
    this.#labels = new Map(
      nodes.flatMap(({ services }) => services.map(({ service, labels }) => [service, labels] as const)),
    );
  }

  #peerOf(at: string, { node, service, address }: Sender): Peer {
    const labels = service === undefined ? undefined : this.#labels.get(service);
    if (labels !== undefined && node !== undefined && this.#files.has(node))
      return { kind: "endpoint", labels };
    return node === at ? { kind: "host", address } : { kind: "address", address };
  }

  #labelsOf(service: string): readonly string[] {
    return this.#labels.get(service) ?? [];
  }

  /** What the sender's side and the receiver's side say, each as it enforces. */
  ask(from: Sender, to: Sender, protocol: "tcp" | "udp", port: number, isDeclared: boolean): void {
    const asked = {
      fromNode: from.node,
      user: from.user,
      source: from.address,
      toNode: to.node,
      destination: to.address,
      protocol,
      port,
    } satisfies Asked;
    const sender = from.node === undefined ? undefined : this.#files.get(from.node);
    const receiver = to.node === undefined ? undefined : this.#files.get(to.node);
    const sends =
      sender === undefined
        ? this.#oracle.mayConnect({ ...asked, toNode: undefined })
        : from.service === undefined ||
          sender.passes("egress", this.#labelsOf(from.service), this.#peerOf(from.node ?? "", to), asked);
    const receives =
      receiver === undefined || to.service === undefined
        ? this.#oracle.mayArrive(asked)
        : receiver.passes("ingress", this.#labelsOf(to.service), this.#peerOf(to.node ?? "", from), asked);
    const said = sends && receives;
    // difference: what a service does not declare is closed at its endpoint
    const should = (isDeclared || receiver === undefined) && this.#oracle.mayConnect(asked);
    this.told.compared++;
    if (said) this.told.passed++;
    if ((sender === undefined) !== (receiver === undefined)) this.told.mixed++;
    if (from.node === undefined || to.node === undefined) this.told.outside++;
    if (said !== should)
      this.differences.push(JSON.stringify({ from, to, protocol, port, sends, receives, should }));
  }

  askAll(): void {
    const instances = this.#mesh.services.flatMap((service) =>
      service.nodes.map((node): Sender => this.#at(node, service.user, service.name)),
    );
    const others = meshNodes.map((node) => this.#at(node, "mallory", undefined));
    const outside = [hosts.rogue.v4, hosts.rogue.v6, "198.51.100.7", "10.77.0.9"].map(
      (address): Sender => ({ node: undefined, user: "root", service: undefined, address }),
    );
    for (const to of instances)
      for (const from of [...instances, ...others, ...outside]) {
        // difference: what a service sends to its own address stays in its own namespace
        if (from.node === to.node && from.service === to.service) continue;
        if (!this.#isCilium(from) && !this.#isCilium(to)) continue;
        // difference: what a machine's other processes send is not judged where Cilium enforces
        if (from.service === undefined && this.#isCilium(from) && !this.#isCilium(to)) continue;
        for (const [protocol, port, isDeclared] of this.#portsOf(to))
          this.ask(from, to, protocol, port, isDeclared);
      }
    for (const from of instances.filter((each) => this.#isCilium(each))) {
      // difference: names are asked of the node's resolver, not of its upstreams
      for (const to of outside)
        for (const [protocol, port] of outsidePorts)
          if (port !== 53 || !this.#mesh.dns.upstreams.includes(to.address))
            this.ask(from, to, protocol, port, true);
      // difference: of its own machine a service reaches the resolver alone
      for (const to of others.filter(({ node }) => node !== from.node)) this.ask(from, to, "tcp", 9999, true);
    }
  }

  #isCilium({ node }: Sender): boolean {
    return node !== undefined && this.#files.has(node);
  }

  #at(node: string, user: string, service: string | undefined): Sender {
    const address = this.#mesh.nodes.find(({ name }) => name === node)?.address ?? "";
    return { node, user, service, address };
  }

  /** On both sides of every end of a range. */
  #portsOf(to: Sender): (readonly ["tcp" | "udp", number, boolean])[] {
    const declared = this.#mesh.services.find(({ name }) => name === to.service)?.ports ?? [];
    const neighbours = this.#mesh.services
      .filter(({ name, nodes }) => name !== to.service && nodes.includes(to.node ?? ""))
      .flatMap(({ ports }) => ports);
    const ends = this.#mesh.policies
      .flatMap(({ ports = [] }) => ports.filter((port) => typeof port !== "string"))
      .flatMap(({ from, to: end }) => [from - 1, from, end, end + 1]);
    const holds = (range: { protocol: string; from: number; to: number }, protocol: string, port: number) =>
      range.protocol === protocol && range.from <= port && port <= range.to;
    const candidates = declared.flatMap(({ range }) =>
      [range.from - 1, range.from, range.to, range.to + 1, 9999, ...ends].map(
        (port) => [range.protocol, port] as const,
      ),
    );
    return (
      [...new Map(candidates.map((each) => [each.join(), each])).values()]
        // difference: the coordinator's ports are for machines, so no endpoint is let to them as a guard
        .filter(([, port]) => to.node !== hubPorts.node || !coordinatorPorts.includes(port))
        .filter(([protocol, port]) => !neighbours.some(({ range }) => holds(range, protocol, port)))
        .map(([protocol, port]) => [
          protocol,
          port,
          declared.some(({ range }) => holds(range, protocol, port)),
        ])
    );
  }
}

const coordinatorPorts: readonly number[] = [...hubPorts.members, hubPorts.enrolment];

const outsidePorts = [
  ["tcp", 9999],
  ["tcp", 9001],
  ["tcp", 8080],
  ["udp", 5300],
  ["udp", 53],
  ["tcp", 443],
] as const;

const subset = fc.integer({ min: 1, max: 7 }).map((bits) => meshNodes.filter((_, bit) => (bits >> bit) & 1));

describe("policies as files of Cilium", () => {
  it(`mean what the mesh file means, in ${meshes} meshes, or say what they cannot`, () => {
    const told = { files: 0, compared: 0, passed: 0, mixed: 0, outside: 0, refused: 0, partly: 0 };
    fc.assert(
      fc.property(arbitraryMesh, subset, (text, nodes) => {
        for (const each of [text, calmed(text)]) {
          const { mesh } = compileText(each);
          const made = preview(mesh, nodes);
          const errors = made.problems.filter(({ severity }) => severity === "error");
          if (errors.length > 0) {
            expect(made.nodes).toEqual([]);
            if (each === text) told.refused++;
            else {
              expect(errors.map(({ message }) => message).join("\n")).toMatch(/one identity/);
              told.partly++;
            }
            continue;
          }
          const files = made.nodes.flatMap(({ services }) => services.map(({ file }) => file));
          expect(files.flatMap(policyFileRefusals)).toEqual([]);
          told.files += files.length;
          const asked = new Case(mesh, made.nodes);
          asked.askAll();
          expect({ text: each, nodes, differences: asked.differences.slice(0, 3) }).toEqual({
            text: each,
            nodes,
            differences: [],
          });
          for (const key of ["compared", "passed", "mixed", "outside"] as const) told[key] += asked.told[key];
        }
      }),
      { numRuns: meshes },
    );
    process.stderr.write(`${JSON.stringify(told)}\n`);
    // a test in which everything passes, or nothing does, shows nothing
    expect(told.passed).toBeGreaterThan(told.compared / 20);
    expect(told.passed).toBeLessThan((told.compared * 19) / 20);
    expect(told.files).toBeGreaterThan(meshes);
    for (const seen of [told.mixed, told.outside, told.refused, told.partly]) expect(seen).toBeGreaterThan(0);
  }, 3_600_000);
});

type Previewed = ReturnType<typeof preview>["nodes"];

/** Every node's files, with one of their rules left out; and what kind of rule that is. */
function* shortened(nodes: Previewed): Generator<readonly [kind: string, nodes: Previewed]> {
  for (const [at, { node, services }] of nodes.entries())
    for (const [which, each] of services.entries()) {
      const policy = JSON.parse(each.file.text) as { specs: { description: string }[] };
      for (const [place, spec] of policy.specs.entries()) {
        const specs = policy.specs.filter((_, index) => index !== place);
        const file = { ...each.file, text: JSON.stringify({ ...policy, specs }) };
        const rest = { node, services: services.with(which, { ...each, file }) };
        const sections = Object.keys(spec).filter((key) => /^(in|e)gress/.test(key));
        for (const section of sections)
          yield [`${spec.description.split(" ")[0]} ${section}`, nodes.with(at, rest)];
      }
    }
}

describe("a rule that is left out", () => {
  it("shows", () => {
    const shown = new Set<string>();
    for (const [nth, text] of fc.sample(arbitraryMesh, 60).entries()) {
      const { mesh } = compileText(calmed(text));
      const nodes = meshNodes.filter((_, bit) => (((nth % 7) + 1) >> bit) & 1);
      for (const [kind, rest] of shortened(preview(mesh, nodes).nodes)) {
        if (shown.has(kind)) continue;
        const asked = new Case(mesh, rest);
        asked.askAll();
        if (asked.differences.length > 0) shown.add(kind);
      }
    }
    expect(shown).toEqual(
      new Set([
        "declared egressDeny",
        "defaults: egress",
        "policy egress",
        "policy egressDeny",
        "policy ingress",
        "policy ingressDeny",
        "service egress",
        "service ingress",
      ]),
    );
  });
});
