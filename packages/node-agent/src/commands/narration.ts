// In: what is being done. Out: one line each, with the time since the beginning.
import type { Clock } from "../host/host.ts";

export function narration(clock: Clock, out: (line: string) => void): (line: string) => void {
  const began = clock.now().getTime();
  return (line) => out(`${((clock.now().getTime() - began) / 1000).toFixed(1).padStart(6)} s  ${line}`);
}
