// In: a service, and who may call it at which port. Out: its policy file, as Weft renders it. Pure.
import type { CiliumPolicyFile } from "../../../packages/shared/src/model/cilium-policy.ts";
import { renderCiliumPolicy } from "../../../packages/shared/src/render/cilium-policy.ts";

export function policyOf(service: string, port = 8080): CiliumPolicyFile {
  return renderCiliumPolicy({
    mesh: "demo",
    node: "api1",
    service,
    spiffeId: `spiffe://mesh.internal/${service}`,
    rules: [
      {
        direction: "ingress",
        action: "allow",
        peer: { kind: "service", service: "web", spiffeId: "spiffe://mesh.internal/web" },
        ports: [{ protocol: "tcp", from: port, to: port }],
        origin: { policy: "web-in", file: "mesh.yaml", line: 7 },
        because: "",
      },
    ],
  });
}
