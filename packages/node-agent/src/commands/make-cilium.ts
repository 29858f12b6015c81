// In: a host, and what its node is to be. Out: everything that has to do with an agent of Cilium on it.
import type { DesiredState } from "@weft/shared/model/desired";
import { ciliumPlaces } from "@weft/shared/render/cilium-places";
import { CiliumClient } from "../cilium/agent-client.ts";
import { EndpointCutter } from "../cilium/endpoint-cutter.ts";
import { EndpointKeeper } from "../cilium/endpoint-keeper.ts";
import { MonitorWatch } from "../cilium/monitor-watch.ts";
import { PolicyDirectory } from "../cilium/policy-directory.ts";
import { PolicyWitness } from "../cilium/policy-witness.ts";
import { PublishedPorts } from "../cilium/published-ports.ts";
import { ServiceEndpoints } from "../cilium/service-endpoints.ts";
import type { Finding } from "../conditions.ts";
import type { Host } from "../host/host.ts";
import type { Log } from "../log.ts";
import { CiliumSection } from "../sections/cilium-section.ts";

export interface CiliumNeeds {
  readonly host: Host;
  readonly log: Log;
  readonly desired: () => DesiredState | undefined;
  /** Of listening to the agent. */
  readonly onFindings: (findings: readonly Finding[]) => void;
}

export interface CiliumSide {
  readonly section: CiliumSection;
  readonly witness: PolicyWitness;
  readonly cutter: EndpointCutter;
  readonly monitor: MonitorWatch;
}

export function makeCilium({ host, log, desired, onFindings }: CiliumNeeds): CiliumSide {
  const client = new CiliumClient(host.sockets);
  // names and identity wait for a look: one that takes longer is gone on with in the next
  const keeper = new EndpointKeeper(client, host.clock, { readyMs: 20_000, undoMs: 10_000 });
  return {
    section: new CiliumSection({
      host,
      log,
      client,
      policies: new PolicyDirectory({ ...host, client, directory: ciliumPlaces.policies }),
      services: new ServiceEndpoints(host, keeper, new PublishedPorts(host)),
    }),
    witness: new PolicyWitness({ ...host, client, desired }),
    cutter: new EndpointCutter({ ...host, client, desired }),
    monitor: new MonitorWatch({ host, client, desired, onFindings }),
  };
}
