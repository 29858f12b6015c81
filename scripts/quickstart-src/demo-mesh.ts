// The mesh files that the proofs apply, one after the other. Out: their texts.

const head = `weft: v1
mesh: shop
trustDomain: mesh.internal
dns: { zone: mesh.internal, upstreams: [10.77.0.53] }
guard: { admin: [192.0.2.0/28], ports: [22/tcp] }
`;

const nodes = `nodes:
  hub: { address: 10.77.0.10, dns: { mode: file } }
  web1: { address: 10.77.0.11, dns: { mode: file } }
  api1: { address: 10.77.0.12 }
`;

const services = `services:
  web: { nodes: [web1], user: web, ports: { http: 8080/tcp } }
  api: { nodes: [api1], user: api, unit: api.service, ports: { http: 8080/tcp, early: 8090/tcp } }
`;

const policies = `policies:
  - { name: web-to-api, from: [web], to: api, ports: [http] }
`;

const guestNode = "  n1: { address: 10.77.0.101, dns: { mode: file } }\n";
const guestService = "  guest: { nodes: [n1], user: guest, ports: { http: 8080/tcp } }\n";
const guestPolicy = "  - { name: guest-to-api, from: [guest], to: api, ports: [http] }\n";
const defaults = "defaults: { ingress: deny, egress: allow, mode: enforce }\n";

/** web and guest may call api. */
export const meshWithGuest =
  head + nodes + guestNode + services + guestService + policies + guestPolicy + defaults;
/** guest is still there, but its policy is gone. */
export const meshGuestRefused = head + nodes + guestNode + services + guestService + policies + defaults;
/** Neither the node n1 nor the service guest. */
export const meshWithoutGuest = head + nodes + services + policies + defaults;

export const members = ["hub", "web1", "api1"] as const;
export const guestMachine = "n1";
export const apiId = "spiffe://mesh.internal/api";
export const webId = "spiffe://mesh.internal/web";
export const apiUrl = "https://api.mesh.internal:8080/hello";
export const node = "/opt/weft/lib/node";
export const webApp = "/srv/app/web.cjs";
