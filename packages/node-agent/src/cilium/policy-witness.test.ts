// What a node answers of the endpoints that a connection begins or ends at.
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { KernelQuestion } from "@weft/shared/model/observation";
import { policyMapText } from "../../../../test/support/cilium/policy-entries.ts";
import { sampleAddress, sampleCilium } from "../../../../test/support/cilium/sample-endpoint.ts";
import { FakeHost } from "../../../../test/support/fake-host.ts";
import type { CiliumEndpoint } from "./parse-endpoint.ts";
import { PolicyWitness } from "./policy-witness.ts";

const node = "10.77.0.11";
const peer = "10.42.12.243";
const arriving: KernelQuestion = {
  id: 1,
  hook: "forward",
  source: peer,
  destination: sampleAddress,
  protocol: "tcp",
  port: 8080,
  user: "",
  local: false,
  publishedPort: undefined,
};
const leaving = { ...arriving, source: sampleAddress, destination: peer };
const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid";
const line = "0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 998 0 1";

let host: FakeHost;
let maps: readonly string[];
let identity: string;
let sockets: string;
let found: Partial<CiliumEndpoint> | undefined;
beforeEach(async () => {
  host = new FakeHost();
  maps = [policyMapText([{ identity: 8061, protocol: 6, port: 8080 }])];
  identity = `${peer} maps to identity identity=8061 encryptkey=0 tunnelendpoint=10.77.0.12 flags=hastunnel,\n`;
  sockets = `${head}\n${line}\n${head}\n`;
  found = { id: 1175, address: sampleAddress };
  await host.files.write("/etc/passwd", "web:x:998:998::/:/bin/sh\n");
  host.exec.programs.set("systemd-run", (args) => {
    const [program = "", ...rest] = args.slice(args.indexOf("--") + 1);
    if (program === "cat") return { stdout: sockets };
    return { stdout: rest[1] === "ipcache" ? identity : maps.join("") };
  });
});
afterEach(() => host.dispose());

function verdicts(question: KernelQuestion) {
  const desired = { address: node, cilium: sampleCilium("web") };
  const client = { endpoint: async () => found as CiliumEndpoint | undefined };
  return new PolicyWitness({ client, exec: host.exec, files: host.files, desired: () => desired }).verdicts(
    question,
  );
}
const programs = () => host.exec.calls.map((call) => call.split(" -- ")[1]);

describe("what a node says of its endpoints", () => {
  it("is what the map of the asked one has for the peer's identity, and who listens in its namespace", async () => {
    const allowed = {
      verdict: "allow",
      identity: 8061,
      entry: "allow identity 8061, 8080/tcp",
      whyUnknown: "",
    };
    const listeners = [{ address: "0.0.0.0", uid: 998, user: "web" }];
    expect(await verdicts(arriving)).toEqual([
      { service: "web", direction: "ingress", ...allowed, listeners },
    ]);
    expect(new Set(programs())).toEqual(
      new Set([
        `/opt/weft/cilium/cilium-dbg bpf ipcache get ${peer}`,
        "/opt/weft/cilium/cilium-dbg bpf policy get 1175 -o json",
        "cat /proc/self/net/tcp /proc/self/net/tcp6",
      ]),
    );
    const inside = host.exec.calls.filter((call) =>
      call.includes("NetworkNamespacePath=/run/netns/weft-web"),
    );
    expect(inside).toHaveLength(1);
    expect(inside[0]).toContain("--property=CapabilityBoundingSet= ");
  });

  it("of one it leaves is by the other direction, and nobody is looked for", async () => {
    expect(await verdicts(leaving)).toEqual([
      {
        service: "web",
        direction: "egress",
        verdict: "deny",
        identity: 8061,
        entry: "",
        whyUnknown: "",
        listeners: undefined,
      },
    ]);
    expect(programs().filter((each) => each?.startsWith("cat"))).toEqual([]);
  });

  it("at the node's address is of the one that is published there, but for who has an endpoint himself", async () => {
    const atNode = { ...arriving, hook: "output", source: node, destination: node } as const;
    expect(await verdicts(atNode)).toMatchObject([{ service: "web", direction: "ingress" }]);
    expect(await verdicts({ ...atNode, port: 22 })).toEqual([]);
    expect(await verdicts({ ...leaving, destination: node })).toMatchObject([{ direction: "egress" }]);
  });

  it("is nothing, and nothing is run, where no endpoint is concerned", async () => {
    expect(await verdicts({ ...arriving, destination: "10.77.0.99" })).toEqual([]);
    expect(await verdicts({ ...arriving, source: sampleAddress })).toEqual([]);
    expect(host.exec.calls).toEqual([]);
  });

  it("is unknown with a reason when something cannot be read, and never a verdict", async () => {
    const unknown = async (why: string) =>
      expect(await verdicts(arriving)).toMatchObject([
        { verdict: "unknown", entry: "", whyUnknown: expect.stringContaining(why) },
      ]);
    found = undefined;
    await unknown("Cilium has no endpoint weft-web");
    found = { id: 1175, address: "10.42.11.77" };
    await unknown("another address");
    found = { id: 1175, address: sampleAddress };
    maps = ["Error: Failed to open map: no such file\n"];
    await unknown("it is no JSON");
    identity = `${peer} does not map to any identity\n`;
    await unknown(`it does not say which identity ${peer} has`);
    sockets = "";
    host.exec.programs.set("systemd-run", () => {
      throw new WeftError("WEFT-E005", "systemd-run did not end within 3 s");
    });
    await unknown("did not end within 3 s");
    expect(await verdicts(arriving)).toMatchObject([{ listeners: undefined }]);
  });
});
