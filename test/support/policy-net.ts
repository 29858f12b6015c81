// In: the policy part of a mesh file. Out: four hosts whose kernels enforce it: three nodes and a stranger, with real
// servers of real users on them.
import { compileMesh } from "../../packages/coordinator/src/compile/compile.ts";
import { describeProblem } from "../../packages/coordinator/src/mesh/problem.ts";
import { loadMesh } from "../../packages/coordinator/src/mesh/validate.ts";
import type { DesiredContent } from "../../packages/shared/src/model/desired.ts";
import type { Mesh } from "../../packages/shared/src/model/mesh.ts";
import { digestOf } from "../../packages/shared/src/plan/canonical.ts";
import { renderNftables, renderRemoval } from "../../packages/shared/src/render/nftables.ts";
import { inSlot } from "../../packages/shared/src/render/nftables-slots.ts";
import { policySets } from "../../packages/shared/src/render/nftables-table.ts";
import { installHostPrograms } from "../../scripts/lab-src/host-programs.ts";
import { KernelNet } from "./kernel-net.ts";
import { labProgress } from "./lab.ts";

export const nodes = `
nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11 }
  api1: { address: 10.77.0.12 }
`;
export const services = `
services:
  web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }
  api: { nodes: [api1], user: api, ports: { http: 8080/tcp, feed: 5300/udp } }
  shop: { nodes: [web1], user: shop, ports: { shop: 8090/tcp }, labels: { tier: front } }
`;

export const hubPorts = { node: "hub", members: [7443, 8081], enrolment: 7444 } as const;

/** By way of the real parser, checks and compiler. */
export function compileText(text: string): { mesh: Mesh; contents: Map<string, DesiredContent> } {
  const { mesh, problems } = loadMesh([{ name: "mesh.yaml", text }], { coordinatorNode: "hub" });
  if (mesh === undefined) throw new Error(`${problems.map(describeProblem).join("\n")}\n${text}`);
  const ports = { agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
  const coordinator = mesh.nodes.find(({ name }) => name === "hub")?.address ?? "";
  return { mesh, contents: compileMesh(mesh, { node: "hub", address: coordinator, ...ports }) };
}

export function compile(rest: string, head = nodes + services): Map<string, DesiredContent> {
  return compileText(`weft: v1\nmesh: lab\ntrustDomain: mesh.internal\n${head}${rest}`).contents;
}

export class PolicyNet {
  readonly net = new KernelNet();
  readonly address = {
    hub: { v4: "10.77.0.10", v6: "fd77::10" },
    web1: { v4: "10.77.0.11", v6: "fd77::11" },
    api1: { v4: "10.77.0.12", v6: "fd77::12" },
    rogue: { v4: "10.77.0.66", v6: "fd77::66" },
  };
  readonly user = { web: 2001, api: 2002, shop: 2003, mallory: 2666, root: 0 };
  readonly uids: ReadonlyMap<string, number> = new Map(Object.entries(this.user));
  #revision = 0;

  async up(): Promise<void> {
    const { net, user } = this;
    await installHostPrograms(["ip", "nft", "conntrack", "ping"], labProgress);
    net.up(this.address);
    await Promise.all([
      net.as("web1", user.web).listen(8080),
      net.as("web1", user.shop).listen(8090),
      net.as("api1", user.api).listen(8080),
      net.as("api1", user.api).listen(5300, "udp"),
      net.as("api1", user.root).listen(9999),
      net.as("rogue", user.root).listen(9999),
      ...[22, 7443, 7444, 8081].map((port) => net.as("hub", user.root).listen(port)),
    ]);
  }

  /** No rules anywhere. */
  clear(): void {
    for (const host of Object.keys(this.address)) this.net.nft(host, renderRemoval());
  }

  get revision(): number {
    return this.#revision;
  }

  script(content: DesiredContent): string {
    return renderNftables({ content, revision: this.#revision, digest: digestOf(content), uids: this.uids });
  }

  /** Compiles, renders and loads the mesh on all its nodes, as one new revision. */
  enforce(rest: string, head?: string): Map<string, DesiredContent> {
    this.#revision++;
    const contents = compile(rest, head);
    for (const [node, content] of contents) this.net.nft(node, this.script(content));
    return contents;
  }

  /** The same with other users. */
  enforceAs(rest: string, head: string, uids: ReadonlyMap<string, number>): Map<string, DesiredContent> {
    this.#revision++;
    const contents = compile(rest, head);
    for (const [node, content] of contents) {
      const digest = digestOf(content);
      this.net.nft(node, renderNftables({ content, revision: this.#revision, digest, uids }));
    }
    return contents;
  }

  /** Of a set the kernel fills, or of the policy's set in slot a, where a direct load puts it. */
  elements(host: string, set: string): string {
    const name = policySets.some((item) => item.name === set) ? inSlot("a", set) : set;
    return this.net.run(host, ["nft", "list", "set", "inet", "weft", name]);
  }
}
