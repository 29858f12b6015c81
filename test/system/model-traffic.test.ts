// The meshes of model-check, on hosts with real servers and real users: what a connection meets must be what the oracle
// says. 10 meshes of 6 connections; WEFT_LONG=1: 300.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { digestOf } from "../../packages/shared/src/plan/canonical.ts";
import { renderNftables } from "../../packages/shared/src/render/nftables.ts";
import { installHostPrograms } from "../../scripts/lab-src/host-programs.ts";
import { arbitraryMesh, hosts, meshUsers, randomAsked } from "../support/arbitrary-mesh.ts";
import { KernelNet } from "../support/kernel-net.ts";
import { labProgress } from "../support/lab.ts";
import { Oracle } from "../support/oracle.ts";
import { compileText, hubPorts } from "../support/policy-net.ts";
import { randomOf } from "../support/random-mesh.ts";
import "../support/property-seed.ts";

const meshes = process.env["WEFT_LONG"] === "1" ? 300 : 10;
const connectionsPerMesh = 6;
const net = new KernelNet();
const uids = new Map<string, number>(Object.entries(meshUsers));

/** Listened on everywhere, so that "refused" is the rules' doing. */
const listening = {
  tcp: [22, 5300, 5303, 7443, 7444, 8080, 8081, 8082, 8085, 8089, 9999],
  udp: [5300, 8085],
} as const;

beforeAll(async () => {
  await installHostPrograms(["ip", "nft", "ping"], labProgress);
  net.up(hosts);
  for (const host of Object.keys(hosts))
    for (const protocol of ["tcp", "udp"] as const)
      for (const port of listening[protocol]) await net.as(host, 0).listen(port, protocol);
}, 300_000);
afterAll(() => net.down());

describe("real connections", () => {
  it(`meet what the oracle says, in ${meshes} meshes`, async () => {
    const told = { open: 0, refused: 0 };
    for (const [salt, text] of fc.sample(arbitraryMesh, meshes).entries()) {
      const { mesh, contents } = compileText(text);
      const oracle = new Oracle(mesh, hubPorts);
      for (const [node, content] of contents)
        net.nft(node, renderNftables({ content, revision: 1, digest: digestOf(content), uids }));
      const random = randomOf(salt);
      for (let asked = 0; asked < connectionsPerMesh; ) {
        const question = randomAsked(random, mesh);
        const { fromNode = "rogue", toNode = "rogue", user, destination, protocol, port } = question;
        if (protocol !== "icmp" && !listening[protocol].some((each) => each === port)) continue;
        asked++;
        const uid = uids.get(user) ?? 0;
        const real =
          protocol === "icmp"
            ? net.ping(fromNode, uid, destination)
            : await net.as(fromNode, uid).dial(destination, port, protocol);
        const open = oracle.mayConnect(question);
        expect({ question, text, toNode, open: real === "open" }).toEqual({ question, text, toNode, open });
        told[open ? "open" : "refused"]++;
      }
    }
    process.stderr.write(`${JSON.stringify(told)}\n`);
    expect(told.open).toBeGreaterThan(meshes / 2);
    expect(told.refused).toBeGreaterThan(meshes / 5);
  }, 3_600_000);
});
