// In: a lab's name as typed. Out: the checked name, and every name and place on this machine that carries it:
// whatever belongs to a lab can be found, and swept, from its name alone.
import { WeftError } from "@weft/shared/errors/weft-error";

/** All labs live below this directory: root-owned, on a file system that can hold an overlay's upper layer. */
export const labsDirectory = "/var/lib/weft-lab";

export interface LabNames {
  readonly name: string;
  /** Prefix of network namespaces, mounts and nspawn machines; the dot cannot occur in a lab's name. */
  readonly prefix: string;
  readonly directory: string;
  readonly cgroup: string;
  readonly controlSocket: string;
  readonly supervisorLog: string;
  readonly queryLog: string;
  readonly dnsConfig: string;
  /** Abstract socket held by whoever is bringing the lab up or down. */
  readonly lock: string;
}

export function labNames(name: string): LabNames {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?$/.test(name))
    throw new WeftError("WEFT-E001", `'${name}' is no name for a lab`, {
      why: "it names namespaces, cgroups and directories",
      hint: "use up to 24 of a-z, 0-9 and '-', beginning and ending with a letter or digit",
    });
  const directory = `${labsDirectory}/${name}`;
  return {
    name,
    prefix: `weft-lab.${name}.`,
    directory,
    cgroup: `weft-lab.${name}`,
    controlSocket: `${directory}/control.sock`,
    supervisorLog: `${directory}/supervisor.log`,
    queryLog: `${directory}/upstream-queries.log`,
    dnsConfig: `${directory}/upstream-dns.conf`,
    lock: `weft-lab.${name}.lock`,
  };
}

export function namespaceOf(lab: LabNames, part: string): string {
  return `${lab.prefix}${part}`;
}

export interface MachinePlaces {
  readonly directory: string;
  readonly upper: string;
  readonly work: string;
  readonly root: string;
  readonly console: string;
  /** "PID START": the machine's PID 1 as seen from outside, with its start time against reuse of the number. */
  readonly leader: string;
}

export function machinePlaces(lab: LabNames, machine: string): MachinePlaces {
  const directory = `${lab.directory}/machines/${machine}`;
  return {
    directory,
    upper: `${directory}/upper`,
    work: `${directory}/work`,
    root: `${directory}/root`,
    console: `${directory}/console.log`,
    leader: `${directory}/leader`,
  };
}
