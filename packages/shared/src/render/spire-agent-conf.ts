// In: where the SPIRE server is and which trust domain. Out: the SPIRE agent's configuration as JSON. Pure.
// JSON, not HCL: nothing needs escaping, and the agent reads both. Unknown keys stop it, so this is the whole list.

export interface SpireAgentSettings {
  readonly trustDomain: string;
  readonly serverAddress: string;
  readonly serverPort: number;
  readonly dataDirectory: string;
  readonly socketPath: string;
  readonly bootstrapPath: string;
  readonly exchangeKeyPath: string;
  readonly exchangeCertificatePath: string;
  readonly healthPort: number;
}

export const spireHealth = { address: "127.0.0.1", ready: "/ready", live: "/live" } as const;

export function renderSpireAgentConf(settings: SpireAgentSettings): string {
  const configuration = {
    agent: {
      data_dir: settings.dataDirectory,
      log_level: "INFO",
      server_address: settings.serverAddress,
      server_port: settings.serverPort,
      socket_path: settings.socketPath,
      trust_bundle_path: settings.bootstrapPath,
      trust_domain: settings.trustDomain,
    },
    plugins: {
      KeyManager: [{ disk: { plugin_data: { directory: settings.dataDirectory } } }],
      NodeAttestor: [
        {
          x509pop: {
            plugin_data: {
              private_key_path: settings.exchangeKeyPath,
              certificate_path: settings.exchangeCertificatePath,
            },
          },
        },
      ],
      WorkloadAttestor: [{ unix: { plugin_data: {} } }, { systemd: { plugin_data: {} } }],
    },
    health_checks: {
      listener_enabled: true,
      bind_address: spireHealth.address,
      bind_port: String(settings.healthPort),
      live_path: spireHealth.live,
      ready_path: spireHealth.ready,
    },
  };
  return `${JSON.stringify(configuration, undefined, 2)}\n`;
}
