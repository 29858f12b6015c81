// In: nothing. Out: a real SPIRE server on loopback in a folder of its own, with Weft's configuration, until stopped.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { renderSpireServerConf } from "../../packages/shared/src/render/spire-server-conf.ts";
import { freePort } from "./free-port.ts";

export interface RunningSpireServer {
  readonly binary: string;
  readonly configFile: string;
  readonly socketPath: string;
  readonly trustDomain: string;
  stop(): Promise<void>;
  /** Ends the process and keeps its data, as a restart of the unit does. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

const components = resolve(import.meta.dirname, "../../scripts/components");
const startDeadlineMs = 20_000;

export async function startSpireServer(trustDomain = "mesh.internal"): Promise<RunningSpireServer> {
  const binary = execFileSync(components, ["--path", "spire-server"], { encoding: "utf8" }).trim();
  // Kept short: the path of a unix socket has at most 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), "weft-spire-"));
  const dataDirectory = join(folder, "data");
  mkdirSync(dataDirectory, { mode: 0o700 });
  const socketPath = join(folder, "private", "api.sock");
  const configFile = join(folder, "server.json");
  const settings = {
    trustDomain,
    mesh: "test",
    bindAddress: "127.0.0.1",
    bindPort: await freePort(),
    healthPort: await freePort(),
    dataDirectory,
    socketPath,
  };
  writeFileSync(configFile, renderSpireServerConf(settings));
  const logFile = join(folder, "log");
  const log = openSync(logFile, "w");
  const start = async (): Promise<() => Promise<void>> => {
    const child = spawn(binary, ["run", "-config", configFile], { stdio: ["ignore", log, log] });
    const exited = once(child, "exit");
    const deadline = Date.now() + startDeadlineMs;
    while (!existsSync(socketPath)) {
      if (child.exitCode !== null || Date.now() > deadline)
        throw new Error(`the SPIRE server did not start:\n${readFileSync(logFile, "utf8")}`);
      await new Promise((wake) => setTimeout(wake, 20));
    }
    return async () => {
      child.kill("SIGTERM");
      await exited;
    };
  };
  let end = await start();
  return {
    binary,
    configFile,
    socketPath,
    trustDomain,
    async pause(): Promise<void> {
      await end();
      rmSync(socketPath, { force: true });
    },
    async resume(): Promise<void> {
      end = await start();
    },
    async stop(): Promise<void> {
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
