// What commands are given: everything they touch outside of themselves. Built in main.ts, and by tests.

import type { OperatorSession } from "../guard/risk.ts";
import type { LoadedMesh } from "../rollout/mesh-compiler.ts";
import type { Machine } from "../setup/machine.ts";
import type { SpireServer } from "../spire/spire-server.ts";
import type { SourceText } from "../store/records.ts";
import type { Control } from "./control.ts";
import type { ExitCode } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

export interface CliContext {
  readonly terminal: Terminal;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  now(): Date;
  /** Opens the control socket. Commands close what they open. */
  connect(socketPath: string): Control;
  /** Opens the SPIRE server's private socket. */
  connectSpire(socketPath: string): SpireServer;
  /** The mesh file, or the files of a directory by name. */
  readSources(paths: readonly string[]): Promise<SourceText[]>;
  /** Pure: what `validate` runs without a coordinator. */
  loadMesh(sources: readonly SourceText[]): Promise<LoadedMesh>;
  meshJsonSchema(): Promise<unknown>;
  /** Mode 0600, atomically. */
  writeSecret(path: string, text: string): Promise<void>;
  /** Who the operator says to be. */
  readonly claimedBy: string;
  /** From where the operator came to this machine over SSH; undefined: not by SSH. */
  readonly operator: OperatorSession | undefined;
  readonly machine: Machine;
  /** The last one set counts; 0 without. */
  setExitCode(code: ExitCode): void;
}
