// In: the environment of the program. Out: from where its operator came to this machine over SSH. Pure. It is a claim:
// whoever runs the program may write it, and it can only make Weft more careful.
import { normaliseAddress } from "@weft/shared/model/address";
import type { OperatorSession } from "../guard/risk.ts";

/** SSH_CONNECTION is "CLIENT CLIENTPORT SERVER SERVERPORT"; a link-local address has its interface behind a %. */
export function sshSession(env: Readonly<Record<string, string | undefined>>): OperatorSession | undefined {
  const [client, , , serverPort] = (env["SSH_CONNECTION"] ?? "").split(" ");
  const address = normaliseAddress(client?.split("%")[0] ?? "");
  const port = Number(serverPort);
  if (address === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  return { address, port };
}
