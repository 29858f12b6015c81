// In: the host, a Cilium agent's client. Out: the section that brings services into namespaces with endpoints, of real parts.
import { ciliumPlaces } from "@weft/shared/render/cilium-places";
import type { CiliumClient } from "../cilium/agent-client.ts";
import { EndpointKeeper } from "../cilium/endpoint-keeper.ts";
import { PolicyDirectory } from "../cilium/policy-directory.ts";
import { PublishedPorts } from "../cilium/published-ports.ts";
import { ServiceEndpoints } from "../cilium/service-endpoints.ts";
import type { Host } from "../host/host.ts";
import type { Log } from "../log.ts";
import { CiliumSection } from "../sections/cilium-section.ts";

export function makeCilium(host: Host, log: Log, client: CiliumClient): CiliumSection {
  // names and identity wait for a look: one that takes longer is gone on with in the next
  const keeper = new EndpointKeeper(client, host.clock, { readyMs: 20_000, undoMs: 10_000 });
  return new CiliumSection({
    host,
    log,
    client,
    policies: new PolicyDirectory({ ...host, client, directory: ciliumPlaces.policies }),
    services: new ServiceEndpoints(host, keeper, new PublishedPorts(host)),
  });
}
