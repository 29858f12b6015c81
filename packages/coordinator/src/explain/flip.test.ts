import { describe, expect, it } from "@jest/globals";
import { nodes } from "../../../../test/support/policy-net.ts";
import { randomOf, randomPolicies, whyServices } from "../../../../test/support/random-mesh.ts";
import { compileMesh } from "../compile/compile.ts";
import { loadMesh } from "../mesh/validate.ts";
import type { SourceText } from "../store/records.ts";
import { type Endpoint, endpointsOf, portsOf } from "./endpoints.ts";
import { type Flip, flipOf } from "./flip.ts";
import { permits } from "./permits.ts";

const place = { node: "hub", address: "10.77.0.10", agentPort: 7443, enrolmentPort: 7444, spirePort: 8081 };

function tryOut(sources: readonly SourceText[]) {
  const { mesh } = loadMesh(sources, { coordinatorNode: "hub" });
  return mesh === undefined ? undefined : { mesh, compiled: compileMesh(mesh, place) };
}

const head = `weft: v1\nmesh: lab\ntrustDomain: mesh.internal\n${nodes}${whyServices}`;

interface Asked extends Flip {
  readonly before: boolean;
  readonly from: Endpoint;
}

function asked(rest: string, fromText: string, toText: string, port: string): Asked {
  const sources = [{ name: "mesh.yaml", text: head + rest }];
  const loaded = tryOut(sources);
  if (loaded === undefined) throw new Error(`the sample has problems: ${rest}`);
  const { mesh, compiled } = loaded;
  const [from] = endpointsOf(mesh, fromText, () => undefined);
  const [to] = endpointsOf(mesh, toText, () => undefined);
  if (from === undefined || to === undefined) throw new Error("no end");
  const [first] = portsOf(port, to);
  if (first === undefined) throw new Error("no port");
  const connection = {
    fromNode: from.identity.node === "" ? undefined : from.identity.node,
    user: from.user,
    source: from.identity.address,
    toNode: to.identity.node === "" ? undefined : to.identity.node,
    destination: to.identity.address,
    ...first,
  };
  const before = permits(compiled, connection).allowed;
  const wish = { sources, mesh, from: from.identity, to: to.identity, connection, allow: !before, tryOut };
  return { ...flipOf(wish), before, from };
}

describe("the smallest change", () => {
  it("that allows is a policy more", () => {
    const { patch, before } = asked(
      "policies:\n  - { name: x, from: [shop], to: web }\n",
      "web",
      "api",
      "http",
    );
    expect(before).toBe(false);
    expect(patch).toContain("+  - { name: web-to-api, from: [web], to: api, ports: [http] }");
    expect(patch.match(/^[-+] /gm)).toHaveLength(1);
  });

  it("that refuses takes the sender out, or denies where the policy says more", () => {
    const alone = asked(
      "policies:\n  - { name: x, from: [web, shop], to: api, ports: [http] }\n",
      "web",
      "api",
      "http",
    );
    expect(alone.patch).toContain("+  - { name: x, from: [shop], to: api, ports: [http] }");
    const wider = asked("policies:\n  - { name: x, from: [web], to: api }\n", "web", "api", "http");
    expect(wider.patch).toContain(
      "+  - { name: no-web-to-api, from: [web], to: api, ports: [http], action: deny }",
    );
  });

  it("to a denial takes the sender out of the policy that denies", () => {
    const rest =
      "policies:\n  - { name: no, from: [web, shop], to: api, action: deny }\n  - { name: yes, from: [web], to: api }\n";
    const { patch, note } = asked(rest, "web", "api", "http");
    expect(patch).toContain("+  - { name: no, from: [shop], to: api, action: deny }");
    expect(note).toContain("no");
  });

  it("of a port nobody declares does not exist, and that is said", () => {
    const { patch, note } = asked("", "web", "api", "9999");
    expect([patch, note]).toEqual(["", expect.stringContaining("no service declares")]);
  });

  it("turns what it says it turns, in 150 random meshes, and is rarely missing", () => {
    const random = randomOf(99);
    let missing = 0;
    for (let count = 0; count < 150; count++) {
      const rest = randomPolicies(random);
      const from = random.pick(["web", "api", "shop", "mallory@web1", "node:hub", "10.77.0.66", "192.0.2.9"]);
      const to = random.pick(["api", "web", "shop"]);
      // flipOf compiles what it offers: here it must at least offer it
      if (asked(rest, from, to, "").patch === "") missing++;
    }
    expect(missing).toBeLessThan(15);
  });
});

describe("what no service declares", () => {
  const closed = "guard: { admin: [192.0.2.0/28] }\nbaseline: { inbound: deny }\n";

  it("is a matter of the baseline, and the line that opens it is told", () => {
    expect(asked(closed, "web", "node:api1", "9100")).toMatchObject({
      before: false,
      patch: "",
      note: expect.stringContaining("- { nodes: [api1], allow: [{ from: [node:web1], ports: [9100/tcp] }] }"),
    });
    expect(asked("", "web", "node:api1", "9100")).toMatchObject({ before: true, patch: "" });
  });

  it("is a ping, which a policy opens and another refuses", () => {
    const opened = asked(closed, "web", "node:api1", "icmp");
    expect(opened.before).toBe(false);
    expect(opened.patch).toContain("+  - { name: web-to-api1, from: [web], to: node:api1, ports: [icmp] }");
    const refused = asked("", "web", "node:api1", "icmp");
    expect(refused.before).toBe(true);
    expect(refused.patch).toContain("ports: [icmp], action: deny }");
  });
});
