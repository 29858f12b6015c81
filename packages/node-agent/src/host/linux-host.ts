// In: nothing. Out: the machine this process runs on, behind the Host interface.
import type { Host } from "./host.ts";
import { LinuxClock } from "./linux-clock.ts";
import { LinuxExec } from "./linux-exec.ts";
import { LinuxFiles } from "./linux-files.ts";
import { LinuxSockets } from "./linux-sockets.ts";
import { LinuxUnits } from "./linux-units.ts";

export function linuxHost(): Host {
  const exec = new LinuxExec();
  return {
    files: new LinuxFiles(),
    exec,
    units: new LinuxUnits(exec),
    sockets: new LinuxSockets(),
    clock: new LinuxClock(),
  };
}
