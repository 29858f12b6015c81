// In: /etc/weft/coordinator.json (or the file named as the one argument). Out: the coordinator, running until SIGTERM.
// The only place where the daemon's real objects are made.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describeError, messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { requireTls13InProcess } from "@weft/shared/spiffe/tls-policy";
import { version } from "./cli/version.ts";
import { registrationEntries } from "./compile/entries.ts";
import { IncrementalCompiler } from "./compile/incremental-compiler.ts";
import { type Config, parseConfig } from "./config.ts";
import { makeLog } from "./log.ts";
import { loadMesh } from "./mesh/validate.ts";
import { planChanges } from "./plan/changes.ts";
import type { MeshCompiler } from "./rollout/mesh-compiler.ts";
import { startDaemon } from "./server/daemon.ts";
import { svidFile } from "./server/svid-file.ts";
import { connectSpireServer } from "./spire/spire-client.ts";
import { SqliteStore } from "./store/sqlite-store.ts";
import { BundleSigner } from "./trust/bundle-signer.ts";
import { parseOnlineKey } from "./trust/online-key.ts";

const defaultConfig = "/etc/weft/coordinator.json";

function meshCompiler(config: Config): MeshCompiler {
  const { compile, digest } = new IncrementalCompiler({
    node: config.hub,
    address: config.address,
    agentPort: config.agentPort,
    enrolmentPort: config.enrolmentPort,
    spirePort: config.spirePort,
  });
  return {
    load: (sources) => loadMesh(sources, { coordinatorNode: config.hub }),
    compile,
    digest,
    entries: registrationEntries,
    changes: (before, after) => planChanges(before, after, digest),
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new WeftError("WEFT-E002", `${path} cannot be read`, {
      why: messageOf(cause),
      hint: "`weft init` writes it",
      cause,
    });
  }
}

async function main(argument: string | undefined): Promise<void> {
  requireTls13InProcess();
  const path = argument ?? defaultConfig;
  const config = parseConfig(await readText(path), path);
  const log = makeLog(config.logLevel);
  const keyText = await readText(join(config.stateDirectory, "signing-key.json"));
  const now = () => new Date();
  const daemon = await startDaemon(config, {
    store: new SqliteStore(join(config.stateDirectory, "store.db")),
    spire: connectSpireServer({ socketPath: config.spireSocket, now }),
    signer: new BundleSigner(parseOnlineKey(keyText)),
    compiler: meshCompiler(config),
    svidFile: svidFile(join(config.stateDirectory, "own-svid.pem")),
    now,
    randomBytes,
    log,
    version,
    tendMs: 1_000,
    flushMs: 5_000,
    reconcileMs: 60_000,
  });
  const stop = () => {
    daemon.stop().then(
      () => process.exit(0),
      (failure: unknown) => {
        log.error("stopping failed", { failure });
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

if (process.argv[2] === "--version") process.stdout.write(`${version}\n`);
else
  main(process.argv[2]).catch((failure: unknown) => {
    process.stderr.write(`${describeError(failure)}\n`);
    process.exit(1);
  });
