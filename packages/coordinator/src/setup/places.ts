// Where `weft init` puts and finds things on the hub (design: names and places).

export const places = {
  installed: "/opt/weft",
  agentCommand: "/opt/weft/bin/weft-node-agent",
  components: "/opt/weft/components",
  units: "/etc/systemd/system",
  configuration: "/etc/weft",
  coordinatorConfig: "/etc/weft/coordinator.json",
  spireFolder: "/etc/weft/spire",
  spireConfig: "/etc/weft/spire/server.json",
  spireSocket: "/run/spire/server/api.sock",
  state: "/var/lib/weft-coordinator",
  onlineKey: "/var/lib/weft-coordinator/signing-key.json",
  sealedRoot: "/etc/weft/mesh-root.sealed.json",
  meshFile: "/etc/weft/mesh.yaml",
} as const;

export const units = {
  spireServer: "spire-server.service",
  coordinator: "weft-coordinator.service",
  agent: "weft-node-agent.service",
} as const;

/** Ports the hub listens on, and the unit that does. */
export const ports: readonly (readonly [number, string])[] = [
  [8081, units.spireServer],
  [7443, units.coordinator],
  [7444, units.coordinator],
];
