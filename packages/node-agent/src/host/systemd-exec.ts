// In: an Exec that may ask systemd. Out: one whose programs run in a passing unit of their own, with the powers that
// entering other namespaces needs. The agent itself has them not, and keeps them no longer than such a program runs.
import type { Exec, ExecOptions, ExecResult } from "./host.ts";

const unit = [
  "--quiet",
  "--wait",
  "--pipe",
  "--collect",
  "--service-type=exec",
  "--property=CapabilityBoundingSet=CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_NET_ADMIN",
  "--property=NoNewPrivileges=yes",
  "--property=ProtectHome=yes",
] as const;

export class SystemdExec implements Pick<Exec, "run"> {
  readonly #exec: Exec;

  constructor(exec: Exec) {
    this.#exec = exec;
  }

  run(program: string, args: readonly string[], options?: ExecOptions): Promise<ExecResult> {
    return this.#exec.run("systemd-run", [...unit, "--", program, ...args], options);
  }
}
