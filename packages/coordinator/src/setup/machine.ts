// What `weft init` may do with the machine it runs on. The real one is linux-machine.ts.

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Machine {
  uid(): number;
  /** undefined: there is no such file. */
  readText(path: string): Promise<string | undefined>;
  exists(path: string): Promise<boolean>;
  /** Whole or not at all, also through a power cut. */
  writeFile(path: string, text: string, mode: number, owner?: Owner): Promise<void>;
  remove(path: string): Promise<void>;
  makeDirectory(path: string, mode: number, owner?: Owner): Promise<void>;
  /** Never through a shell; what is secret goes in by `input`. */
  run(
    file: string,
    args: readonly string[],
    options?: { input?: string; timeoutMs?: number },
  ): Promise<RunResult>;
  user(name: string): Promise<Owner | undefined>;
  /** IP addresses of all interfaces. */
  addresses(): readonly string[];
  portTaken(port: number): Promise<boolean>;
}
