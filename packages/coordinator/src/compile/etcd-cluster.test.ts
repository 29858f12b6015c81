// What nodes are given of an etcd that Weft runs, and which registration entries it needs.
import { describe, expect, it } from "@jest/globals";
import type { Mesh } from "@weft/shared/model/mesh";
import { lines, load, section } from "../../../../test/support/cilium/sample-mesh.ts";
import { compileMesh } from "./compile.ts";
import { CompileMemory } from "./compile-memory.ts";
import { registrationEntries } from "./entries.ts";

const place = { node: "hub", address: "10.77.0.10", agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };
const text = lines
  .join("\n")
  .replace(section, "cilium: { etcd: { nodes: [hub, etc1, etc2] }, ranges: 10.42.0.0/16 }")
  .replace("nodes:\n", "nodes:\n  etc2: { address: 10.77.0.22 }\n  etc1: { address: 10.77.0.21 }\n");

function meshOf(from: string): Mesh {
  const { mesh, problems } = load(from);
  if (mesh === undefined) throw new Error(JSON.stringify(problems));
  return mesh;
}

const compile = (from: string, memory?: CompileMemory) => compileMesh(meshOf(from), place, memory);

/** As in the file: the first of them begins. */
const members = [
  { node: "hub", address: "10.77.0.10", name: "hub.node.mesh.internal" },
  { node: "etc1", address: "10.77.0.21", name: "etc1.node.mesh.internal" },
  { node: "etc2", address: "10.77.0.22", name: "etc2.node.mesh.internal" },
];
const api1 = { node: "api1", address: "10.77.0.12", name: "api1.cilium.weft", addresses: ["10.42.12.243"] };
const web1 = { node: "web1", address: "10.77.0.11", name: "web1.cilium.weft", addresses: ["10.42.11.127"] };

describe("the mesh's own etcd", () => {
  it("is all of it to a member, and itself alone to a client, whose Cilium has no other", () => {
    const contents = compile(text);
    for (const node of ["hub", "etc1", "etc2"])
      expect(contents.get(node)?.etcdCluster).toEqual({ members, clients: [api1, web1] });
    expect(contents.get("web1")?.etcdCluster).toEqual({ members, clients: [web1] });
    expect(contents.get("api1")?.etcdCluster).toEqual({ members, clients: [api1] });
    for (const node of ["web1", "api1"]) expect(contents.get(node)?.cilium?.etcd).toBeUndefined();
  });

  it("is nothing to a node that has no part in it, nor where the operator runs one", () => {
    const one = compile(text.replace("[hub, etc1, etc2]", "[hub]"));
    expect(one.get("etc1")).not.toHaveProperty("etcdCluster");
    for (const content of compile(lines.join("\n")).values())
      expect(content).not.toHaveProperty("etcdCluster");
  });

  it("may run before anybody uses it", () => {
    const early = compile(text.replaceAll(/, enforcement: cilium, range: [0-9./]+/g, ""));
    expect(early.get("hub")?.etcdCluster).toEqual({ members, clients: [] });
    expect(early.get("web1")).not.toHaveProperty("etcdCluster");
  });

  it("is reached by its members and by nodes with Cilium, at the ports each of them needs", () => {
    const said = compile(text)
      .get("hub")
      ?.policy.ingress.filter(({ service }) => service === "weft-etcd")
      .map(({ port, from, source, strength, mode }) => `${port.from} ${from} ${source} ${strength} ${mode}`);
    expect(said?.toSorted()).toEqual([
      "2379 api1 10.77.0.12 address enforce",
      "2379 etc1 10.77.0.21 address enforce",
      "2379 etc2 10.77.0.22 address enforce",
      "2379 hub 10.77.0.10 address enforce",
      "2379 web1 10.77.0.11 address enforce",
      "2380 weft-etcd 10.77.0.10 address+uid enforce",
      "2380 weft-etcd 10.77.0.21 address+uid enforce",
      "2380 weft-etcd 10.77.0.22 address+uid enforce",
    ]);
  });

  it("is known to every node by its name", () => {
    const records = compile(text)
      .get("web1")
      ?.dns.records.filter(({ name }) => name === "weft-etcd.mesh.internal");
    expect(records?.map(({ value }) => value)).toEqual(["10.77.0.10", "10.77.0.21", "10.77.0.22"]);
  });

  it("is made again where it changes, and nowhere else", () => {
    const memory = new CompileMemory();
    const before = compile(text, memory);
    const remade = (edited: string) =>
      [...compile(edited, memory)]
        .filter(([node, content]) => content !== before.get(node))
        .map(([node]) => node);
    expect(remade(text)).toEqual([]);
    expect(remade(text.replace("10.42.12.0/24", "10.42.22.0/24")).includes("hub")).toBe(true);
    const wider = text.replace("10.42.12.0/24", "10.42.22.0/24");
    expect(compile(wider, memory)).toEqual(compile(wider));
  });
});

describe("its registration entries", () => {
  it("are one for each member and each client, and none for the service itself", () => {
    expect(
      registrationEntries(meshOf(text)).map(
        ({ id, dnsNames }) => `${id} ${dnsNames === undefined ? "-" : dnsNames.slice(0, 2).join(" ")}`,
      ),
    ).toEqual([
      "weft.api1.api -",
      "weft.api1.etcd.client api1.cilium.weft clients.weft",
      "weft.etc1.etcd.member etc1.node.mesh.internal weft-etcd.mesh.internal",
      "weft.etc2.etcd.member etc2.node.mesh.internal weft-etcd.mesh.internal",
      "weft.hub.etcd.member hub.node.mesh.internal weft-etcd.mesh.internal",
      "weft.web1.etcd.client web1.cilium.weft clients.weft",
      "weft.web1.web -",
    ]);
  });

  it("are none where the operator runs an etcd", () => {
    const entries = registrationEntries(meshOf(lines.join("\n")));
    expect(entries.map(({ id }) => id)).toEqual(["weft.api1.api", "weft.web1.web"]);
    for (const entry of entries) expect(entry).not.toHaveProperty("dnsNames");
  });
});
