// In: services. Out: their endpoints, and the desired state of a node that has them, as a coordinator gives it. Pure.
import type { DesiredState } from "../../../packages/shared/src/model/desired.ts";
import type { DesiredCilium, DesiredEndpoint } from "../../../packages/shared/src/model/desired-cilium.ts";
import { emptyContent, sealed } from "../desired.ts";

export function endpointOf(
  service: string,
  last: number,
  more: Partial<DesiredEndpoint> = {},
): DesiredEndpoint {
  return {
    service,
    spiffeId: `spiffe://mesh.internal/${service}`,
    unit: `${service}.service`,
    address: `10.42.1.${last}`,
    ports: [{ protocol: "tcp", from: 8000 + last, to: 8000 + last }],
    rules: [],
    ...more,
  };
}

/** api1, where each service runs as a user of its name. @param endpoints undefined: a node without Cilium */
export function desiredWith(
  endpoints: readonly DesiredEndpoint[] | undefined,
  more: Partial<DesiredCilium> = {},
): DesiredState {
  const content = emptyContent("api1", "10.77.0.12");
  const workloads = (endpoints ?? []).map(({ service, spiffeId, unit }) => ({
    service,
    spiffeId,
    unit,
    user: service,
  }));
  const etcd = { members: ["http://10.77.0.10:2379"], ca: undefined, certificate: undefined, key: undefined };
  const cilium =
    endpoints === undefined
      ? {}
      : { cilium: { etcd, range: "10.42.1.0/24", ranges: "10.42.0.0/16", endpoints, ...more } };
  const identity = { ...content.identity, workloads };
  return { ...sealed({ ...content, identity, ...cilium }), generation: 1, revision: 1 };
}
