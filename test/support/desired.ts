// In: a node's name. Out: the smallest desired content for it, and content sealed with its digest, for tests.
import type { DesiredContent } from "../../packages/shared/src/model/desired.ts";
import type { Digest } from "../../packages/shared/src/model/ids.ts";
import { digestOf } from "../../packages/shared/src/plan/canonical.ts";

export function emptyContent(node: string, address = "10.77.0.11"): DesiredContent {
  return {
    mesh: "shop",
    trustDomain: "mesh.internal",
    node,
    address,
    identity: { spireServerAddress: "10.77.0.10", spireServerPort: 8081, workloads: [] },
    policy: {
      enforcement: "nftables",
      services: [],
      ingress: [],
      mesh: [],
      egress: [],
      forward: [],
      guard: {
        admin: [],
        ports: [],
        coordinatorAddress: "10.77.0.10",
        coordinatorPorts: [{ protocol: "tcp", from: 7443, to: 7444 }],
        isCoordinator: false,
        nodeAddresses: [address],
        upstreams: [],
        banned: [],
      },
      egressDefault: "allow",
      mode: "enforce",
      boot: "guards-only",
    },
    dns: { zone: "mesh.internal", mode: "auto", upstreams: [], records: [] },
  };
}

export function sealed(content: DesiredContent): DesiredContent & { readonly digest: Digest } {
  return { ...content, digest: digestOf(content) };
}
