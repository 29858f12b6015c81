// Which flows are worth a real connection after a change: by example, and held to an oracle over arbitrary meshes.
import { describe, expect, it } from "@jest/globals";
import type { Mesh } from "@weft/shared/model/mesh";
import fc from "fast-check";
import { arbitraryMesh } from "../../../../test/support/arbitrary-mesh.ts";
import { Oracle } from "../../../../test/support/oracle.ts";
import { compileText, hubPorts } from "../../../../test/support/policy-net.ts";
import { type ChosenFlow, chooseProbes, mostProbes, type ProbeChoice } from "./probe-choice.ts";
import type { ServiceFlow } from "./service-flows.ts";

const nodes = `weft: v1
mesh: lab
trustDomain: mesh.internal
nodes:
  hub: { address: 10.77.0.10 }
  web1: { address: 10.77.0.11 }
  web2: { address: 10.77.0.13 }
  api1: { address: 10.77.0.12 }
`;
const web = "  web: { nodes: [web1, web2], user: web, ports: { http: 8080/tcp } }\n";
const api =
  "  api: { nodes: [api1], user: api, ports: { http: 8080/tcp, many: 9000-9010/tcp, feed: 8125/udp } }\n";
const webToApi = "  - { name: web-to-api, from: [web], to: api, ports: [http] }\n";
const policies = (...lines: string[]) => (lines.length === 0 ? "" : `policies:\n${lines.join("")}`);
const mesh = (...lines: string[]) => `${nodes}services:\n${web}${api}${policies(...lines)}`;

const choose = (before: string | undefined, after: string): ProbeChoice =>
  chooseProbes(before === undefined ? undefined : compileText(before), compileText(after));
const told = ({ from, fromNode, to, toNode, portName, port, meant }: ChosenFlow) =>
  `${from}@${fromNode} ${to}@${toNode} ${portName} ${port} ${meant}`;

describe("in a large mesh", () => {
  const count = 460;
  const names = Array.from({ length: count }, (_, index) => `s${String(index).padStart(3, "0")}`);
  const placed = (index: number) =>
    index === count - 1 ? "web2" : index === count - 2 ? "hub" : "web1, api1";
  const services = names.map(
    (name, index) =>
      `  ${name}: { nodes: [${placed(index)}], user: ${name}, ports: { it: ${1000 + index}/tcp } }\n`,
  );
  const large = (...lines: string[]) => `${nodes}services:\n${services.join("")}${policies(...lines)}`;
  const [last = "", target = ""] = names.toReversed();

  it("what no change has touched uses nothing up, and the one flow that it turns is found", () => {
    const before = compileText(large());
    const after = compileText(large(`  - { name: it, from: [${last}], to: ${target} }\n`));
    // as the coordinator keeps them: what is equal is the same
    for (const [node, content] of before.contents)
      if (JSON.stringify(content) === JSON.stringify(after.contents.get(node)))
        after.contents.set(node, content);
    expect(after.contents.get("web1")).toBe(before.contents.get("web1"));
    const choice = chooseProbes(before, after);
    expect(choice).toMatchObject({ basis: "turned", partly: false });
    expect(choice.flows.map(told)).toEqual([`${last}@web2 ${target}@hub it ${998 + count} allowed`]);
  });

  it("there is an end to looking for what is allowed, and it is said", () => {
    const hosts = Array.from({ length: 20 }, (_, index) => `n${index}`);
    const all = names.slice(0, 12).join(", ");
    // each of them allows what a denial takes back
    const text = `weft: v1
mesh: lab
trustDomain: mesh.internal
nodes:
  hub: { address: 10.77.0.10 }
${hosts.map((name, index) => `  ${name}: { address: 10.77.0.${100 + index} }\n`).join("")}services:
${names
  .slice(0, 12)
  .map(
    (name, index) =>
      `  ${name}: { nodes: [${hosts.join(", ")}], user: ${name}, ports: { it: ${1000 + index}/tcp } }\n`,
  )
  .join("")}policies:
  - { name: open, from: [${all}], to: [${all}] }
  - { name: shut, from: [${all}], to: [${all}], action: deny }
`;
    const choice = chooseProbes(undefined, compileText(text));
    expect(choice).toEqual({ basis: "first", flows: [], leftOut: 0, partly: true });
  });
});

describe("the flows that are probed after a change", () => {
  it("are those that it turns, each with the first pair of instances, newly allowed before newly refused", () => {
    const added = choose(mesh(), mesh(webToApi));
    expect(added).toMatchObject({ basis: "turned", leftOut: 0, partly: false });
    expect(added.flows.map(told)).toEqual(["web@web1 api@api1 http 8080 allowed"]);
    expect(added.flows[0]).toMatchObject({ user: "web", source: "10.77.0.11", destination: "10.77.0.12" });
    expect(choose(mesh(webToApi), mesh()).flows.map(told)).toEqual(["web@web1 api@api1 http 8080 refused"]);
    const apiToWeb = "  - { name: api-to-web, from: [api], to: web }\n";
    expect(choose(mesh(webToApi), mesh(apiToWeb)).flows.map(told)).toEqual([
      "api@api1 web@web1 http 8080 allowed",
      "web@web1 api@api1 http 8080 refused",
    ]);
  });

  it("are those of the instance that it turns, and of the part of a range", () => {
    const deny = "  - { name: not-web2, from: [node:web2], to: api, action: deny }\n";
    expect(choose(mesh(webToApi), mesh(webToApi, deny)).flows.map(told)).toEqual([
      "web@web2 api@api1 http 8080 refused",
    ]);
    const some = "  - { name: some, from: [web], to: api, ports: [9003-9004/tcp] }\n";
    expect(choose(mesh(), mesh(some)).flows.map(told)).toEqual(["web@web1 api@api1 many 9003 allowed"]);
  });

  it("count what no mesh said anything of before, after what one did", () => {
    const bare = `${nodes}services:\n${api}`;
    // undeclared, web's port was open, and web may have been anybody
    expect(choose(bare, mesh(webToApi)).flows.map(told)).toEqual([
      "web@web1 api@api1 http 8080 allowed",
      "api@api1 web@web1 http 8080 refused",
      "web@web1 web@web2 http 8080 refused",
    ]);
  });

  it("are never those of UDP, nor of what is no longer declared", () => {
    const feed = "  - { name: feed, from: [web], to: api, ports: [feed] }\n";
    expect(choose(mesh(), mesh(feed))).toMatchObject({ basis: "none-turned", flows: [] });
    expect(choose(mesh(webToApi), `${nodes}services:\n${web}`).flows.map(told)).toEqual([]);
  });

  it("are one for each policy that allows some where the change turns none, or nothing was before", () => {
    const again = "  - { name: zz-again, from: [web], to: api }\n";
    const quiet = choose(mesh(webToApi, again), `# the same\n${mesh(webToApi, again)}`);
    expect(quiet).toMatchObject({ basis: "none-turned", leftOut: 0 });
    expect(quiet.flows.map(told)).toEqual([
      "web@web1 api@api1 http 8080 allowed",
      "web@web1 api@api1 many 9000 allowed",
    ]);
    expect(choose(undefined, mesh(webToApi))).toMatchObject({
      basis: "first",
      flows: [{ from: "web", meant: "allowed" }],
    });
    expect(choose(undefined, mesh())).toEqual({ basis: "first", flows: [], leftOut: 0, partly: false });
  });

  it("are ten at most, of both kinds where there are more, and the rest is counted", () => {
    const ports = Array.from({ length: 14 }, (_, index) => `p${index + 10}: ${8100 + index}/tcp`).join(", ");
    const big = (...lines: string[]) =>
      `${nodes}services:\n${web}  api: { nodes: [api1], user: api, ports: { ${ports} } }\n${policies(...lines)}`;
    const allow = (from: number, to: number) => {
      const named = Array.from({ length: to - from + 1 }, (_, index) => `p${from + index}`);
      return `  - { name: some, from: [web], to: api, ports: [${named.join(", ")}] }\n`;
    };
    const kinds = ({ flows }: ProbeChoice) => flows.map(({ meant }) => meant);
    const half = choose(big(allow(10, 16)), big(allow(17, 23)));
    expect(half.leftOut).toBe(4);
    expect(kinds(half)).toEqual([...Array(5).fill("allowed"), ...Array(5).fill("refused")]);
    const few = choose(big(allow(10, 11)), big(allow(12, 23)));
    expect(few.leftOut).toBe(4);
    expect(kinds(few)).toEqual([...Array(8).fill("allowed"), ...Array(2).fill("refused")]);
    expect(kinds(choose(big(allow(10, 23)), big()))).toEqual(Array(mostProbes).fill("refused"));
  });
});

const asked = ({ fromNode, user, source, toNode, destination, port }: ServiceFlow) => ({
  fromNode,
  user,
  source,
  toNode,
  destination,
  protocol: "tcp" as const,
  port,
});

/** Both ends are services there, at these addresses. */
function isDeclared({ services, nodes: machines }: Mesh, flow: ServiceFlow): boolean {
  const { fromNode, user, source, toNode, destination, port } = flow;
  const isAt = (node: string, address: string) =>
    machines.some((machine) => machine.name === node && machine.address === address);
  return (
    isAt(fromNode, source) &&
    isAt(toNode, destination) &&
    services.some((service) => service.user === user && service.nodes.includes(fromNode)) &&
    services.some(
      (service) =>
        service.nodes.includes(toNode) &&
        service.ports.some(({ range }) => range.protocol === "tcp" && range.from <= port && port <= range.to),
    )
  );
}

/** Every connection between services of the mesh, port by port. */
function everyFlow({ services, nodes: machines }: Mesh): ServiceFlow[] {
  const address = (node: string) => machines.find(({ name }) => name === node)?.address ?? "";
  return services.flatMap((from) =>
    services.flatMap((to) =>
      from.nodes.flatMap((fromNode) =>
        to.nodes.flatMap((toNode) =>
          to.ports
            .filter(({ range }) => range.protocol === "tcp" && range.to - range.from < 64)
            .flatMap(({ name, range }) =>
              Array.from({ length: range.to - range.from + 1 }, (_, index) => ({
                from: from.name,
                fromNode,
                user: from.user,
                source: address(fromNode),
                to: to.name,
                toNode,
                destination: address(toNode),
                portName: name,
                port: range.from + index,
              })),
            ),
        ),
      ),
    ),
  );
}

describe("of any two meshes", () => {
  it("what is probed is what an oracle says has turned, and what has turned is probed or counted", () => {
    fc.assert(
      fc.property(arbitraryMesh, arbitraryMesh, (textBefore, textAfter) => {
        const [before, after] = [compileText(textBefore), compileText(textAfter)];
        const [old, now] = [new Oracle(before.mesh, hubPorts), new Oracle(after.mesh, hubPorts)];
        const choice = chooseProbes(before, after);
        expect(choice.flows.length).toBeLessThanOrEqual(mostProbes);
        expect(choice.partly).toBe(false);
        for (const flow of choice.flows) {
          expect(now.mayConnect(asked(flow))).toBe(flow.meant === "allowed");
          if (choice.basis !== "turned") expect(flow.meant).toBe("allowed");
          else if (isDeclared(before.mesh, flow))
            expect(old.mayConnect(asked(flow))).toBe(flow.meant !== "allowed");
        }
        const turned = everyFlow(after.mesh).filter(
          (flow) =>
            !(flow.from === flow.to && flow.fromNode === flow.toNode) &&
            isDeclared(before.mesh, flow) &&
            old.mayConnect(asked(flow)) !== now.mayConnect(asked(flow)),
        );
        if (turned.length > 0) expect(choice.basis).toBe("turned");
        if (choice.leftOut > 0) expect(choice.flows).toHaveLength(mostProbes);
        else
          for (const flow of turned)
            expect(
              choice.flows.some(
                ({ from, to, portName, meant }) =>
                  from === flow.from &&
                  to === flow.to &&
                  portName === flow.portName &&
                  (meant === "allowed") === now.mayConnect(asked(flow)),
              ),
            ).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("the order of the file does not show, and a mesh does not differ from itself", () => {
    fc.assert(
      fc.property(arbitraryMesh, arbitraryMesh, (textBefore, textAfter) => {
        const [before, after] = [compileText(textBefore), compileText(textAfter)];
        const turnedRound = ({ mesh: one, contents }: typeof after) => ({
          mesh: {
            ...one,
            nodes: [...one.nodes].reverse(),
            services: [...one.services].reverse(),
            policies: [...one.policies].reverse(),
          },
          contents,
        });
        expect(chooseProbes(turnedRound(before), turnedRound(after))).toEqual(chooseProbes(before, after));
        expect(chooseProbes(after, compileText(textAfter)).basis).toBe("none-turned");
      }),
      { numRuns: 100 },
    );
  });
});
