// In: an Exec that may ask systemd, a user, and a network namespace or none. Out: one whose programs run there as that user,
// in a passing unit of their own, with no power at all: nothing to write, nothing to gain. The agent itself cannot become another user, on purpose.
import type { Exec, ExecOptions, ExecResult } from "./host.ts";

const unit = [
  "--quiet",
  "--wait",
  "--pipe",
  "--collect",
  "--service-type=exec",
  "--property=CapabilityBoundingSet=",
  "--property=NoNewPrivileges=yes",
  "--property=ProtectSystem=strict",
  "--property=ProtectHome=yes",
  "--property=PrivateTmp=yes",
  "--property=PrivateDevices=yes",
  "--property=ProtectControlGroups=yes",
  "--property=ProtectKernelModules=yes",
  "--property=ProtectKernelTunables=yes",
  "--property=RestrictAddressFamilies=AF_INET AF_INET6",
  "--property=RestrictNamespaces=yes",
  "--property=RestrictSUIDSGID=yes",
  "--property=LockPersonality=yes",
  "--property=SystemCallArchitectures=native",
  "--property=KeyringMode=private",
  "--property=TasksMax=64",
  // whoever waits for it may be gone
  "--property=RuntimeMaxSec=10",
] as const;

export class UserExec implements Pick<Exec, "run"> {
  readonly #exec: Pick<Exec, "run">;
  readonly #own: readonly string[];

  /** @param namespace path of a network namespace; undefined: the machine's own */
  constructor(exec: Pick<Exec, "run">, user: string, namespace?: string) {
    this.#exec = exec;
    this.#own = [
      ...(namespace === undefined ? [] : [`--property=NetworkNamespacePath=${namespace}`]),
      `--uid=${user}`,
    ];
  }

  run(program: string, args: readonly string[], options?: ExecOptions): Promise<ExecResult> {
    return this.#exec.run("systemd-run", [...unit, ...this.#own, "--", program, ...args], options);
  }
}
