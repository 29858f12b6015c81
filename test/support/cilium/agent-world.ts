// In: nothing. Out: a fake machine with a fake Cilium agent, a client that asks it, and a clock on which waiting is nothing.
import { join } from "node:path";
import { CiliumClient } from "../../../packages/node-agent/src/cilium/agent-client.ts";
import { EndpointKeeper } from "../../../packages/node-agent/src/cilium/endpoint-keeper.ts";
import type { EndpointWish } from "../../../packages/node-agent/src/cilium/endpoint-wish.ts";
import { FakeCiliumAgent } from "../fake-cilium-agent.ts";
import { FakeHost } from "../fake-host.ts";
import { HastyClock } from "../hasty-clock.ts";
import { type FakePolicyEngine, WatchedFiles } from "./fake-policy-engine.ts";

export const policyDirectory = "/etc/weft/cilium/policies";

/** Of real time: a machine may be busy, and what is to hang is asked by somebody else. */
const patientMs = 60_000;

export class AgentWorld {
  readonly clock = new HastyClock();
  readonly host: FakeHost;
  readonly agent: FakeCiliumAgent;
  readonly engine: FakePolicyEngine;
  readonly client: CiliumClient;
  readonly keeper: EndpointKeeper;

  constructor() {
    this.host = new FakeHost((root) => new WatchedFiles(root, policyDirectory, () => this.engine));
    this.agent = new FakeCiliumAgent({
      now: () => this.clock.now().getTime(),
      policies: join(this.host.root, policyDirectory),
    });
    if (this.agent.engine === undefined) throw new TypeError("the agent has no directory");
    this.engine = this.agent.engine;
    this.client = new CiliumClient(this.host.sockets, patientMs);
    this.keeper = new EndpointKeeper(this.client, this.clock);
  }

  listen(): Promise<void> {
    return this.agent.listen(this.host.root);
  }

  async dispose(): Promise<void> {
    await this.agent.close();
    this.host.dispose();
  }
}

export const wish: EndpointWish = {
  owner: "weft-api",
  address: "10.42.1.80",
  labels: [
    "spiffe:id=f4cca6cfef04a2269eea4dc7d78b0545183eefc0",
    "spiffe:td=mesh.internal",
    "spiffe:path=api",
    "k8s:io.kubernetes.pod.namespace=weft-demo",
    "k8s:io.cilium.k8s.policy.cluster=weft-demo",
  ],
  linkName: "lxcweftapi",
  linkIndex: 31,
  mac: "02:00:00:00:00:01",
  hostMac: "02:00:00:00:00:02",
};
