// In: the Exec of a machine. Out: which BPF program types its kernel takes from this process, found by loading
// "r0 = 0; exit" as each of them. Through perl's syscall(): bpf(2) has no way in from Node, and perl-base is essential
// on Debian and Ubuntu. A type that needs more to be loaded (tracing, lsm, struct_ops) is not asked for.
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import type { BpfProgramType } from "@weft/shared/model/facts";
import type { Exec } from "../host/host.ts";

interface ProgramType {
  readonly name: string;
  /** enum bpf_prog_type */
  readonly number: number;
  /** enum bpf_attach_type, for the types whose verifier wants one */
  readonly attach?: number;
}

const programTypes: readonly ProgramType[] = [
  { name: "socket_filter", number: 1 },
  { name: "kprobe", number: 2 },
  { name: "sched_cls", number: 3 },
  { name: "sched_act", number: 4 },
  { name: "tracepoint", number: 5 },
  { name: "xdp", number: 6 },
  { name: "perf_event", number: 7 },
  { name: "cgroup_skb", number: 8 },
  { name: "cgroup_sock", number: 9 },
  { name: "lwt_in", number: 10 },
  { name: "lwt_out", number: 11 },
  { name: "lwt_xmit", number: 12 },
  { name: "sock_ops", number: 13 },
  { name: "sk_skb", number: 14 },
  { name: "cgroup_device", number: 15 },
  { name: "sk_msg", number: 16 },
  { name: "raw_tracepoint", number: 17 },
  { name: "cgroup_sock_addr", number: 18, attach: 10 },
  { name: "cgroup_sysctl", number: 23 },
  { name: "cgroup_sockopt", number: 25, attach: 21 },
  { name: "sk_lookup", number: 30, attach: 36 },
];

// The fields of union bpf_attr up to expected_attach_type, in the kernel's order.
const script = `
use strict; use POSIX ();
my %numbers = (x86_64 => 321, aarch64 => 280);
my $bpf = $numbers{(POSIX::uname())[4]} or die "no bpf system call number for this architecture";
my $program = pack("CCsl", 0xb7, 0, 0, 0) . pack("CCsl", 0x95, 0, 0, 0);
my $licence = "GPL\\0";
for my $wish (@ARGV) {
  my ($name, $type, $attach) = split /:/, $wish;
  my $attributes = pack("LLppLLQLLa16LL", $type, 2, $program, $licence, 0, 0, 0, 0, 0, "", 0, $attach) . ("\\0" x 56);
  my $fd = syscall($bpf, 5, $attributes, length $attributes);
  if ($fd >= 0) { POSIX::close($fd); print "$name yes\\n" }
  else { printf "%s no %s (errno %d)\\n", $name, "$!", $! + 0 }
}
`;

/** The script's output as facts; pure. */
export function parseBpfProbe(text: string): BpfProgramType[] {
  return text
    .split("\n")
    .map((line) => /^(\w+) (yes|no) ?(.*)$/.exec(line))
    .flatMap((match) =>
      match === null ? [] : [{ name: match[1] ?? "", loads: match[2] === "yes", why: match[3] ?? "" }],
    );
}

export async function probeBpf(exec: Exec): Promise<BpfProgramType[]> {
  const wishes = programTypes.map((type) => `${type.name}:${type.number}:${type.attach ?? 0}`);
  try {
    const { stdout } = await exec.run("perl", ["-e", script, "--", ...wishes]);
    return parseBpfProbe(stdout);
  } catch (failure) {
    if (!isWeftError(failure) || failure.code !== "WEFT-E007") throw failure;
    throw new WeftError("WEFT-E007", "unknown: no perl", { cause: failure });
  }
}
