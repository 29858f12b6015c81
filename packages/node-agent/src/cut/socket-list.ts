// In: a way to run programs in a network. Out: the TCP and UDP sockets there, by `ss`.
import type { Exec } from "../host/host.ts";
import { type ParsedSockets, parseSockets } from "./parse-sockets.ts";

export async function listSockets(run: Exec["run"]): Promise<ParsedSockets> {
  const { stdout } = await run("ss", ["-H", "-n", "-t", "-u", "-a", "-e", "exclude", "time-wait"]);
  return parseSockets(stdout);
}
