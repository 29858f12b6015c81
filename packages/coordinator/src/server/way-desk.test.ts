// At which hooks nodes are asked about a connection that an endpoint of Cilium has a part in.
import { describe, expect, it } from "@jest/globals";
import type { KernelQuestion } from "@weft/shared/model/observation";
import { end, own, tcp, wayOf } from "../../../../test/support/cilium/sample-ends.ts";
import { WayDesk, type WayDeskParts } from "./way-desk.ts";

async function asked(from: string, to: string, port = tcp(8080)) {
  const questions: (Partial<KernelQuestion> & { readonly node: string })[] = [];
  const parts = {
    desk: {
      async ask(node: string, question: Omit<KernelQuestion, "id">) {
        questions.push({ node, ...question });
        return { id: 1, problem: "nobody is there" };
      },
    },
    fleet: { view: () => ({}) },
    store: { desired: { get: () => undefined } },
  } as unknown as WayDeskParts;
  await new WayDesk(parts).ask(end(from), end(to), port, "", wayOf(from, to, port));
  return questions;
}

describe("the way of a connection", () => {
  it("between endpoints is forwarded at both ends, by their own addresses", async () => {
    const between = {
      hook: "forward",
      source: own.web,
      destination: own.api,
      publishedPort: undefined,
      user: "",
    };
    expect(await asked("web", "api")).toMatchObject([
      { node: "web1", ...between },
      { node: "api1", ...between },
    ]);
  });

  it("to an endpoint arrives as what its node publishes, judged by the address it comes from", async () => {
    expect(await asked("job", "api")).toMatchObject([
      { node: "hub", hook: "output", destination: "10.77.0.12", user: "job" },
      { node: "api1", hook: "forward", source: "10.77.0.10", destination: own.api, publishedPort: 8080 },
    ]);
    expect(await asked("web", "node:api1")).toMatchObject([
      { node: "web1", hook: "forward", source: own.web, destination: "10.77.0.12", publishedPort: undefined },
      { node: "api1", hook: "forward", source: "10.77.0.11", destination: own.api, publishedPort: 8080 },
    ]);
  });

  it("from an endpoint to whoever has none leaves with its node's address", async () => {
    expect(await asked("web", "job", tcp(8090))).toMatchObject([
      { node: "web1", hook: "forward", source: own.web, destination: "10.77.0.10" },
      { node: "hub", hook: "input", source: "10.77.0.11", destination: "10.77.0.10", local: false },
    ]);
  });

  it("on one machine passes each hook once, and none within a namespace", async () => {
    expect(await asked("api", "log", tcp(514))).toMatchObject([{ node: "api1", hook: "forward" }]);
    expect(await asked("api", "node:api1")).toMatchObject([
      { node: "api1", hook: "input", source: own.api, destination: "10.77.0.12", local: false },
    ]);
    expect(await asked("node:api1", "api")).toMatchObject([{ node: "api1", hook: "output", local: true }]);
    expect(await asked("api", "api")).toEqual([]);
  });

  it("without endpoints is as it was", async () => {
    expect(await asked("job", "node:web1", tcp(22))).toMatchObject([
      {
        node: "hub",
        hook: "output",
        source: "10.77.0.10",
        destination: "10.77.0.11",
        local: false,
        user: "job",
      },
      {
        node: "web1",
        hook: "input",
        source: "10.77.0.10",
        destination: "10.77.0.11",
        local: false,
        user: "",
      },
    ]);
  });
});
