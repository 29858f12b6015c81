// In: how large. Out: a mesh file of that size, the same each time: services of several instances, two ports each, and
// policies between them, from ranges, by label, denying and on trial. No randomness.

export interface MeshSize {
  readonly nodes: number;
  readonly services: number;
  readonly policies: number;
}

const instances = 10;

const pad = (number: number): string => String(number).padStart(4, "0");
const addressOf = (node: number): string => `10.80.${node >> 8}.${node & 255}`;

/** @param edited one policy names another source */
export function largeMesh({ nodes, services, policies }: MeshSize, edited = false): string {
  const lines = ["weft: v1", "mesh: large", "trustDomain: mesh.internal", "dns: { upstreams: [192.0.2.53] }"];
  lines.push("guard: { admin: [192.0.2.0/28], ports: [22/tcp] }", "nodes:", "  hub: { address: 10.80.0.1 }");
  for (let node = 2; node <= nodes; node++) lines.push(`  n${pad(node)}: { address: ${addressOf(node)} }`);
  lines.push("services:");
  for (let service = 0; service < services; service++) {
    const on = Array.from(
      { length: instances },
      (_, place) => `n${pad(2 + ((service * instances + place) % (nodes - 1)))}`,
    );
    const ports = `http: ${2000 + 2 * service}/tcp, admin: ${2001 + 2 * service}/tcp`;
    lines.push(
      `  s${pad(service)}: { nodes: [${on.join(", ")}], user: u${service}, ports: { ${ports} }, labels: { group: g${service % 50} } }`,
    );
  }
  lines.push("policies:");
  for (let policy = 0; policy < policies; policy++) {
    const to = policy % services;
    const step = 1 + Math.floor(policy / services) * 7 + (edited && policy === policies - 1 ? 1 : 0);
    const source = `s${pad((to + step) % services)}`;
    const from =
      policy % 10 === 3
        ? `{ cidr: 198.51.${policy % 100}.0/24 }`
        : policy % 50 === 7
          ? `{ labels: { group: g${step % 50} } }`
          : source;
    const action = policy % 20 === 11 ? ", action: deny" : "";
    const mode = policy % 25 === 13 ? ", mode: audit" : "";
    const ports = policy % 3 === 0 ? "" : ", ports: [http]";
    lines.push(`  - { name: p${pad(policy)}, from: [${from}], to: s${pad(to)}${ports}${action}${mode} }`);
  }
  return `${lines.join("\n")}\n`;
}
