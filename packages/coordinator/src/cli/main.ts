// In: the process. Out: `weft`. Builds the real objects and nothing else. What only some commands need is loaded when
// they need it: the mesh file's parser is half of the program, and `apply` leaves reading the file to the coordinator.
import { userInfo } from "node:os";
import type { ReadStream, WriteStream } from "node:tty";
import { errnoOf } from "@weft/shared/errors/system";
import { linuxMachine, writeFileDurably } from "../setup/linux-machine.ts";
import { connectSpireServer } from "../spire/spire-client.ts";
import { connectControl } from "./control-client.ts";
import { readMeshSources } from "./mesh-sources.ts";
import { runCli } from "./program.ts";
import { sshSession } from "./ssh-session.ts";
import { stdioTerminal } from "./stdio-terminal.ts";

/** Under sudo the person, not root. */
function claimedBy(): string {
  const sudoer = process.env["SUDO_USER"];
  return sudoer === undefined || sudoer === "" ? userInfo().username : sudoer;
}

// `weft history | head` ends the reader first: that is no failure.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (failure) => {
    if (errnoOf(failure) === "EPIPE") process.exit(0);
    throw failure;
  });

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    // The second time it is meant at once.
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  });
}

runCli(process.argv.slice(2), {
  terminal: stdioTerminal({
    stdin: process.stdin as ReadStream,
    stdout: process.stdout as WriteStream,
    stderr: process.stderr as WriteStream,
    env: process.env,
  }),
  signal: stop.signal,
  now: () => new Date(),
  connect: connectControl,
  connectSpire: (socketPath) => connectSpireServer({ socketPath, now: () => new Date(), deadlineMs: 1_000 }),
  readSources: readMeshSources,
  loadMesh: async (sources) => {
    const { loadMesh } = await import("../mesh/validate.ts");
    return loadMesh(sources, { coordinatorNode: undefined });
  },
  meshJsonSchema: async () => (await import("../mesh/schema.ts")).meshJsonSchema(),
  writeSecret: (path, text) => writeFileDurably(path, text, 0o600),
  claimedBy: claimedBy(),
  operator: sshSession(process.env),
  machine: linuxMachine(),
}).then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (bug: unknown) => {
    console.error("weft: this is a bug; please report it with what follows");
    console.error(bug);
    process.exitCode = 1;
  },
);
