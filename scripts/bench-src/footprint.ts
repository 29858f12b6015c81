// In: a machine of a lab where Weft runs. Out: what each of its processes holds in memory, and what its unit used of one
// processor over a while in which nothing was asked of it.
import type { Lab } from "../lab-src/lab.ts";

export interface UnitReading {
  readonly unit: string;
  readonly rssMiB: number;
  /** What would be free again if the process ended: its own pages, without those of its program file. */
  readonly privateMiB: number;
  /** Of the whole unit, its child processes included. */
  readonly idlePercent: number;
}

const units = ["weft-node-agent", "spire-agent", "weft-dns", "weft-coordinator", "spire-server"];

const script = `
read_all() {
  for unit in ${units.join(" ")}; do
    pid=$(systemctl show -p MainPID --value "$unit")
    [ "$pid" != 0 ] || continue
    cpu=$(sed -n 's/^usage_usec //p' "/sys/fs/cgroup/system.slice/$unit.service/cpu.stat")
    echo "$unit $cpu $(sed -n 's/^\\(Rss\\|Private_Dirty\\): *\\([0-9]*\\) kB/\\2/p' "/proc/$pid/smaps_rollup" | tr '\\n' ' ')"
  done
}
read_all; echo --; sleep "$1"; read_all`;

export async function readFootprint(lab: Lab, machine: string, idleSeconds: number): Promise<UnitReading[]> {
  const argv = ["/bin/sh", "-c", script, "footprint", String(idleSeconds)] as const;
  const text = await lab.run(machine, argv, { timeoutMs: (idleSeconds + 60) * 1000 });
  return parseReadings(text, idleSeconds);
}

export function parseReadings(text: string, idleSeconds: number): UnitReading[] {
  const [before = "", after = ""] = text.split("--\n");
  const processorTime = new Map(
    before.split("\n").map((line) => [line.split(" ")[0], Number(line.split(" ")[1])]),
  );
  return after
    .trim()
    .split("\n")
    .map((line) => {
      const [unit = "", cpu, rss, own] = line.split(" ");
      return {
        unit,
        rssMiB: Number(rss) / 1024,
        privateMiB: Number(own) / 1024,
        idlePercent: (Number(cpu) - (processorTime.get(unit) ?? Number.NaN)) / (idleSeconds * 10_000),
      };
    });
}
