// In: the mesh and its hub. Out: the text of a first mesh file, valid as it is, with examples to uncomment. Pure.
import { stringify } from "yaml";
import type { InitWish } from "./init-wish.ts";

/** Quoted only where YAML would read something else than the name ("no", "123"). */
function scalar(text: string): string {
  return stringify(text).trimEnd();
}

export function renderStarterMesh(wish: Pick<InitWish, "mesh" | "trustDomain" | "address" | "hub">): string {
  const domain = scalar(wish.trustDomain);
  return `# The mesh: its machines, its services, and who may talk to whom. This file is yours; Weft never edits it.
#   weft validate FILE       is it right?
#   weft plan FILE           what would it change?
#   weft apply FILE --wait   make it so
weft: v1
mesh: ${scalar(wish.mesh)}
trustDomain: ${domain}
dns: { zone: ${domain} }

# Flows that no change may ever cut: who administers these machines from where.
# guard: { admin: [192.0.2.0/28], ports: [22/tcp] }

nodes:
  ${scalar(wish.hub)}: { address: ${JSON.stringify(wish.address)} }
  # web1: { address: 192.0.2.11, labels: { tier: front } }
  # api1: { address: 192.0.2.12 }

# A service is a user (and, if named, a unit) on some nodes. It gets the SPIFFE ID spiffe://${wish.trustDomain}/NAME and
# the DNS name NAME.${wish.trustDomain}; only what a policy allows reaches its ports.
# services:
#   web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }
#   api: { nodes: [api1], user: api, unit: api.service, ports: { http: 8080/tcp } }

# policies:
#   - { name: web-to-api, from: [web], to: api, ports: [http] }

defaults: { ingress: deny, egress: allow, mode: enforce }
`;
}
