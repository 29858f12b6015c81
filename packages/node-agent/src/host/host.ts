// The machine, as the agent may touch it. One injected object; tests use a directory as root and a scripted exec.
// Everything that reads or changes the host goes through here.

export interface FileInfo {
  readonly kind: "file" | "symlink" | "directory" | "other";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Of the last change of its content, ms since 1970. */
  readonly modified: number;
  /** Target, for a symlink. */
  readonly target: string | undefined;
}

/** Parts are written as they come; when they throw, nothing is left and their error is passed on. */
export type FileContent = string | Uint8Array | AsyncIterable<Uint8Array>;

export interface Files {
  /** Whole content, or undefined when the file does not exist. Any other trouble throws WEFT-E002. */
  read(path: string): Promise<Uint8Array | undefined>;
  readText(path: string): Promise<string | undefined>;
  /** A file of any size, part by part as it is read. Where there is none it throws WEFT-E002. */
  parts(path: string): AsyncIterable<Uint8Array>;
  /** Hex SHA-256 of a file of any size, or undefined when there is none. */
  sha256(path: string): Promise<string | undefined>;
  /** lstat, or undefined when nothing is there. */
  info(path: string): Promise<FileInfo | undefined>;
  /** Names in a directory, sorted; empty when it does not exist. */
  list(path: string): Promise<string[]>;
  /**
   * Temp file in the same directory, mode and owner set, fsync, rename, fsync of the directory: a reader sees the
   * old bytes or the new ones, after a crash too. Parent directories are made (0755). Refusals (full disk, read-only)
   * throw WEFT-E002 and leave nothing behind.
   */
  write(
    path: string,
    content: FileContent,
    options?: { mode?: number; uid?: number; gid?: number },
  ): Promise<void>;
  /** Rename over whatever is there, atomically, then fsync of the directory. */
  rename(from: string, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  /** No error when it is not there. */
  remove(path: string): Promise<void>;
  removeTree(path: string): Promise<void>;
  makeDirectory(path: string, mode: number): Promise<void>;
}

export interface ExecOptions {
  readonly input?: string;
  /** ms; default 10 000. Past it the process is killed and WEFT-E005 thrown. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Codes that are no failure; default [0]. Others throw WEFT-E004 with the program's stderr. */
  readonly allow?: readonly number[];
  /** Told the process, as soon as there is one. */
  readonly started?: (pid: number) => void;
}

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Exec {
  /** Runs a program from the system's PATH with an argument list, never through a shell; output is limited to 16 MiB. */
  run(program: string, args: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /**
   * A long-running program, line by line; `done` settles when it ends. Ended by the signal. Of a long line only the
   * beginning is kept, and how long it was is told. `pid` is undefined when it could not be started.
   */
  lines(
    program: string,
    args: readonly string[],
    onLine: (line: string, length: number) => void,
    signal: AbortSignal,
  ): { readonly done: Promise<number>; readonly pid: number | undefined };
}

export interface UnitState {
  /** ActiveState of systemd: active, inactive, failed, activating, ... */
  readonly active: string;
  readonly enabled: boolean;
  readonly exists: boolean;
}

export interface Units {
  state(unit: string): Promise<UnitState>;
  /** Each throws WEFT-E402 with the unit's last log lines when systemd says no. */
  enable(unit: string): Promise<void>;
  disable(unit: string): Promise<void>;
  start(unit: string): Promise<void>;
  restart(unit: string): Promise<void>;
  stop(unit: string): Promise<void>;
  /** Of one unit, by its own ExecReload. */
  reloadUnit(unit: string): Promise<void>;
  /** Of the files of all units. */
  reload(): Promise<void>;
}

export interface SocketAnswer {
  readonly status: number;
  readonly body: string;
}

export interface SocketRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Sockets {
  /**
   * HTTP over a unix socket; the whole answer in time, of at most 16 MiB. undefined: nothing is at that path.
   * Nobody listening, an answer that breaks off, is too big (WEFT-E004) or too late (WEFT-E005) throws; then, and at an
   * abort, the connection is closed at once.
   */
  ask(socket: string, request: SocketRequest): Promise<SocketAnswer | undefined>;
}

export interface Clock {
  now(): Date;
  /** Resolves after ms, or rejects with an abort error. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Host {
  readonly files: Files;
  readonly exec: Exec;
  readonly units: Units;
  readonly sockets: Sockets;
  readonly clock: Clock;
}
