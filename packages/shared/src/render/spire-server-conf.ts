// In: what a mesh decides about its SPIRE server. Out: the server's configuration file. Pure.
// JSON, not HCL: the server reads both, and JSON has no escaping of its own to get wrong.
// The server refuses to start on any key it does not know, so `spire-server validate` runs before every start.

export interface SpireServerSettings {
  readonly trustDomain: string;
  /** Name of the mesh, for the subject of the CA's certificate. */
  readonly mesh: string;
  readonly bindAddress: string;
  readonly bindPort: number;
  readonly dataDirectory: string;
  readonly socketPath: string;
  /** On loopback. */
  readonly healthPort: number;
}

/** An SVID's life is only kept when it is at most a sixth of its CA's: 168 h / 6 = 28 h. */
const lives = { ca_ttl: "168h", agent_ttl: "24h", default_x509_svid_ttl: "1h", default_jwt_svid_ttl: "5m" };

/** Where everything is on a machine installed by the book. */
export function usualSpireServerSettings(mesh: string, trustDomain: string): SpireServerSettings {
  return {
    trustDomain,
    mesh,
    bindAddress: "0.0.0.0",
    bindPort: 8081,
    dataDirectory: "/var/lib/spire-server",
    socketPath: "/run/spire/server/api.sock",
    healthPort: 7481,
  };
}

export function renderSpireServerConf(settings: SpireServerSettings): string {
  const { dataDirectory } = settings;
  const configuration = {
    server: {
      trust_domain: settings.trustDomain,
      bind_address: settings.bindAddress,
      bind_port: String(settings.bindPort),
      data_dir: dataDirectory,
      socket_path: settings.socketPath,
      log_level: "INFO",
      log_format: "json",
      ca_key_type: "ec-p256",
      ca_subject: { country: ["XX"], organization: ["Weft"], common_name: settings.mesh },
      ...lives,
    },
    plugins: {
      DataStore: {
        sql: {
          plugin_data: {
            database_type: "sqlite3",
            connection_string: `${dataDirectory}/datastore.sqlite3`,
          },
        },
      },
      KeyManager: { disk: { plugin_data: { keys_path: `${dataDirectory}/keys.json` } } },
      // An agent exchanges an SVID spiffe://TD/spire-exchange/NAME for the stable ID /spire/agent/x509pop/NAME.
      NodeAttestor: { x509pop: { plugin_data: { mode: "spiffe", svid_prefix: "/spire-exchange/" } } },
    },
    health_checks: {
      listener_enabled: true,
      bind_address: "127.0.0.1",
      bind_port: String(settings.healthPort),
      live_path: "/live",
      ready_path: "/ready",
    },
  };
  return `${JSON.stringify(configuration, undefined, 2)}\n`;
}
