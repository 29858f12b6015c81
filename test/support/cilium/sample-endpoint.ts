// In: a service of web1. Out: what web1 is given when that service has an endpoint of Cilium, for tests.
import type { DesiredCilium } from "../../../packages/shared/src/model/desired-cilium.ts";

export const sampleAddress = "10.42.11.9";

export function sampleCilium(service: string): DesiredCilium {
  return {
    etcd: { members: ["http://10.77.0.10:2379"], ca: undefined, certificate: undefined, key: undefined },
    range: "10.42.11.0/24",
    ranges: "10.42.0.0/16",
    endpoints: [
      {
        service,
        spiffeId: `spiffe://mesh.internal/${service}`,
        unit: `${service}.service`,
        address: sampleAddress,
        ports: [{ protocol: "tcp", from: 8080, to: 8080 }],
        rules: [],
      },
    ],
  };
}
