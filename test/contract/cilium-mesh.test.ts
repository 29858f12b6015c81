// Random small meshes, some nodes of each enforcing with Cilium: what their nodes are given. All others are given what they would
// be given without; these have the same rules of nftables, and beside them what the preview shows; all of it goes over the wire.
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { previewCilium } from "../../packages/coordinator/src/cilium/preview.ts";
import { compileMesh } from "../../packages/coordinator/src/compile/compile.ts";
import { CompileMemory } from "../../packages/coordinator/src/compile/compile-memory.ts";
import { hasErrors } from "../../packages/coordinator/src/mesh/problem.ts";
import { loadMesh } from "../../packages/coordinator/src/mesh/validate.ts";
import { checkDesired } from "../../packages/node-agent/src/link/desired-store.ts";
import { DesiredState as Message } from "../../packages/shared/src/gen/weft/v1/desired.ts";
import type { DesiredContent, DnsRecord } from "../../packages/shared/src/model/desired.ts";
import type { Mesh } from "../../packages/shared/src/model/mesh.ts";
import { canonicalText } from "../../packages/shared/src/plan/canonical.ts";
import { contentDigest } from "../../packages/shared/src/plan/content-digest.ts";
import { contentOf } from "../../packages/shared/src/plan/desired-content.ts";
import { byText } from "../../packages/shared/src/plan/text-order.ts";
import { renderCiliumPolicy } from "../../packages/shared/src/render/cilium-policy.ts";
import { decodeDesired, encodeDesired } from "../../packages/shared/src/wire/desired-codec.ts";
import { arbitraryMesh, meshNodes } from "../support/arbitrary-mesh.ts";
import { calmed, enforcing } from "../support/cilium/enforcing-mesh.ts";
import "../support/property-seed.ts";

const place = { node: "hub", address: "10.77.0.10", agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
const subset = fc.integer({ min: 1, max: 7 }).map((bits) => meshNodes.filter((_, bit) => (bits >> bit) & 1));
const ipv4Mesh = arbitraryMesh.map(calmed).filter((text) => !text.includes('address: "fd77'));

function load(text: string): Mesh | undefined {
  return loadMesh([{ name: "mesh.yaml", text }], { coordinatorNode: "hub" }).mesh;
}

const withoutNames = ({ dns, cilium: _cilium, policy, ...rest }: DesiredContent) => {
  const { endpoints: _endpoints, ...own } = policy;
  return { ...rest, policy: own, dns: { ...dns, records: [] } };
};

const addressesOf = (records: readonly DnsRecord[]): string[] =>
  records.filter(({ type }) => type !== "SRV").map(({ value }) => value);

function sentAndRead(content: DesiredContent): DesiredContent {
  const state = { ...content, generation: 1, revision: 1, digest: contentDigest(content) };
  const read = decodeDesired(Message.decode(Message.encode(encodeDesired(state)).finish()));
  // as the node's agent looks at it
  checkDesired(read, content);
  return contentOf(read);
}

describe("a mesh with nodes that enforce with Cilium", () => {
  it("gives all other nodes what it would give them without, and these what the preview shows", () => {
    const told = { meshes: 0, endpoints: 0, refused: 0, others: 0 };
    const memory = new CompileMemory();
    fc.assert(
      fc.property(ipv4Mesh, subset, (text, nodes) => {
        const mesh = load(enforcing(text, nodes));
        const plainMesh = load(enforcing(text, []));
        expect(plainMesh).toBeDefined();
        if (mesh === undefined || plainMesh === undefined) {
          told.refused++;
          // never without something to be said of it
          expect(mesh).toBe(undefined);
          expect(hasErrors(previewCilium(plainMesh as Mesh, nodes).problems)).toBe(true);
          return;
        }
        told.meshes++;
        const plain = compileMesh(plainMesh, place);
        const contents = compileMesh(mesh, place);
        const files = new Map(
          previewCilium(plainMesh, nodes).nodes.map(({ node, services }) => [
            node,
            services.map(({ file }) => file),
          ]),
        );
        const addresses: string[] = [];
        for (const [node, content] of contents) {
          const { cilium } = content;
          if (!nodes.some((each) => each === node)) {
            told.others++;
            expect(content).toEqual(plain.get(node));
            expect(contentDigest(content)).toBe(contentDigest(plain.get(node) as DesiredContent));
            continue;
          }
          expect(withoutNames(content)).toEqual(withoutNames(plain.get(node) as DesiredContent));
          const endpoints = cilium?.endpoints ?? [];
          told.endpoints += endpoints.length;
          addresses.push(...endpoints.map(({ address }) => address));
          expect(content.policy.endpoints ?? []).toEqual(endpoints.map(({ address }) => address).sort());
          expect(
            endpoints.map(({ service, spiffeId, rules }) =>
              renderCiliumPolicy({ mesh: content.mesh, node, service, spiffeId, rules }),
            ),
          ).toEqual(files.get(node));
          expect(sentAndRead(content)).toEqual(content);
        }
        expect(new Set(addresses).size).toBe(addresses.length);
        for (const node of nodes) {
          const led = addressesOf(contents.get(node)?.dns.records ?? []);
          for (const address of addresses) expect(led.filter((each) => each === address)).toHaveLength(2);
        }
        const turned = {
          ...mesh,
          nodes: mesh.nodes.toReversed(),
          services: mesh.services.toReversed(),
          policies: mesh.policies.toReversed(),
        };
        expect(canonicalText([...compileMesh(turned, place)])).toBe(canonicalText([...contents]));
        for (const each of [mesh, plainMesh, mesh])
          expect(canonicalText([...compileMesh(each, place, memory)])).toBe(
            canonicalText([...compileMesh(each, place)]),
          );
      }),
      { numRuns: 200 },
    );
    process.stderr.write(`${JSON.stringify(told)}\n`);
    expect(told.endpoints).toBeGreaterThan(200);
    for (const seen of [told.refused, told.others]) expect(seen).toBeGreaterThan(0);
  }, 600_000);
});

const ofEtcd = "weft-etcd";
const notOfEtcd = ({ service }: { readonly service: string }) => service !== ofEtcd;

/** What a node is given beside the mesh's own etcd, and beside what endpoints may send to it. */
function withoutEtcd({ etcdCluster: _cluster, cilium, ...rest }: DesiredContent): unknown {
  const { identity, policy, dns } = rest;
  return {
    ...rest,
    identity: { ...identity, workloads: identity.workloads.filter(notOfEtcd) },
    policy: {
      ...policy,
      services: policy.services.filter(notOfEtcd),
      mesh: policy.mesh.filter(notOfEtcd),
      ingress: policy.ingress.filter(notOfEtcd),
      egress: policy.egress.filter(({ to }) => to !== ofEtcd),
    },
    dns: { ...dns, records: dns.records.filter(({ name }) => !name.includes(ofEtcd)) },
    endpoints: cilium?.endpoints.map(({ rules: _rules, ...endpoint }) => endpoint),
  };
}

describe("a mesh with an etcd of its own", () => {
  it("gives every node that etcd beside what it would give it, over the wire and in any order", () => {
    const told = { meshes: 0, refused: 0, members: 0, clients: 0 };
    const memory = new CompileMemory();
    fc.assert(
      fc.property(ipv4Mesh, subset, (nameless, nodes) => {
        const text = nameless.replaceAll("mode: off", "mode: file");
        const others = meshNodes.filter((node) => !nodes.includes(node));
        const operators = load(enforcing(text, nodes));
        if (operators === undefined || others.length === 0) return;
        const written = enforcing(text, nodes).replace(
          /etcd: \{[^}]*\}/,
          `etcd: { nodes: [${others.join(", ")}] }`,
        );
        const mesh = load(written);
        if (mesh === undefined) {
          told.refused++;
          return;
        }
        told.meshes++;
        const before = compileMesh(operators, place);
        const contents = compileMesh(mesh, place, memory);
        for (const [node, content] of contents) {
          expect(withoutEtcd(content)).toEqual(withoutEtcd(before.get(node) as DesiredContent));
          const { members, clients } = content.etcdCluster ?? { members: [], clients: [] };
          const isMember = others.includes(node as (typeof others)[number]);
          expect(members.map((member) => member.node)).toEqual(others);
          expect(clients.map((client) => client.node)).toEqual(isMember ? nodes.toSorted(byText) : [node]);
          if (isMember) told.members++;
          else told.clients++;
          expect(content.cilium?.etcd).toBeUndefined();
          expect(sentAndRead(content)).toEqual(content);
        }
        const turned = {
          ...mesh,
          nodes: mesh.nodes.toReversed(),
          services: mesh.services.toReversed(),
          policies: mesh.policies.toReversed(),
        };
        expect(canonicalText([...compileMesh(turned, place)])).toBe(canonicalText([...contents]));
        expect(canonicalText([...compileMesh(mesh, place)])).toBe(canonicalText([...contents]));
      }),
      { numRuns: 200 },
    );
    process.stderr.write(`${JSON.stringify(told)}\n`);
    // what can be said with an etcd of the operator's can be said with one of the mesh
    expect(told.refused).toBe(0);
    expect(told.members).toBeGreaterThan(50);
    expect(told.clients).toBeGreaterThan(50);
  }, 600_000);
});
