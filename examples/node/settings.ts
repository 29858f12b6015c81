// In: the process environment. Out: where the Workload API is, which port to serve and who may ask.
import { parseSpiffeId } from "@weft/shared/spiffe/spiffe-id";

export interface Settings {
  /** Address of the Workload API. */
  readonly workloadApi: string;
  readonly port: number;
  /** The SPIFFE IDs that are answered; everybody else is refused. */
  readonly allow: readonly string[];
}

export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const { SPIFFE_ENDPOINT_SOCKET: workloadApi, PORT: port = "8080", ALLOW: allow = "" } = environment;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new Error(`PORT is not a port: ${port}`);
  const ids = allow
    .split(",")
    .map((id) => id.trim())
    .filter((id) => id !== "");
  for (const id of ids) parseSpiffeId(id);
  return {
    workloadApi: workloadApi ?? "unix:///run/spire/agent/public/api.sock",
    port: Number(port),
    allow: ids,
  };
}
