// In: what this node is given. Out: connections that must work whatever else its kernel carries: a sample of each guard
// flow, the agent's own way to the coordinator, and each source that the policy allows to a service here. Pure.
import type { VitalFlow } from "@weft/shared/kernel-verdict/foreign-refusals";
import type { Packet } from "@weft/shared/kernel-verdict/packet";
import { familyOf, parseCidr } from "@weft/shared/model/address";
import type { DesiredState, PortRange } from "@weft/shared/model/desired";

/** Each is judged by every foreign chain at its hook. */
const mostFlows = 64;

const portText = ({ protocol, from, to }: PortRange) => `${from === to ? from : `${from}-${to}`}/${protocol}`;

export function vitalFlows({ address, policy }: DesiredState): VitalFlow[] {
  const { guard } = policy;
  const flow = (
    what: string,
    { hook, peer, port }: { hook: "input" | "output"; peer: string; port: PortRange },
  ): VitalFlow[] => {
    const sample = sampleOf(peer);
    // one end of the other family: no such packet
    if (sample === undefined || familyOf(sample) !== familyOf(address)) return [];
    const [source, destination] = hook === "input" ? [sample, address] : [address, sample];
    const { protocol, from } = port;
    const packet: Packet = {
      hook,
      source,
      destination,
      protocol,
      port: from,
      uid: hook === "output" ? 0 : undefined,
      local: false,
      publishedPort: undefined,
    };
    return [{ what, packet }];
  };
  const [agentPort] = guard.coordinatorPorts;
  const link =
    guard.isCoordinator || agentPort === undefined
      ? []
      : flow(`the agent's own link to the coordinator (${guard.coordinatorAddress})`, {
          hook: "output",
          peer: guard.coordinatorAddress,
          port: agentPort,
        });
  const admin = guard.admin.flatMap((peer) =>
    guard.ports.flatMap((port) =>
      flow(`administrators (${peer}) to guard port ${portText(port)}`, { hook: "input", peer, port }),
    ),
  );
  const services = policy.ingress
    .filter(({ action }) => action === "allow")
    .flatMap(({ from, source, service, port }) =>
      flow(`${from} (${source}) to ${service} ${portText(port)}`, { hook: "input", peer: source, port }),
    );
  return [...link, ...admin, ...services].slice(0, mostFlows);
}

/** One address of a range; undefined: of none. */
function sampleOf(peer: string): string | undefined {
  return parseCidr(peer) === undefined ? undefined : peer.split("/")[0];
}
