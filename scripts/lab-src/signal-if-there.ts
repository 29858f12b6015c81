// In: a process number and a signal. Out: the signal sent, unless the process has ended.
import { errnoOf } from "@weft/shared/errors/system";

export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw error;
  }
}
