// In: a lab whose services run in network namespaces of their own. Out: the same lab, in which a command of a service's user is
// one of that service: in its network, and in its control group, by which SPIRE knows the unit.
import { type Command, Lab, type SpawnOptions } from "../../../scripts/lab-src/lab.ts";
import type { MachineProcess } from "../../../scripts/lab-src/machine-process.ts";
import { labNames } from "../../../scripts/lab-src/names.ts";

const enter = `set -eu
service=$1
shift
echo $$ >"/sys/fs/cgroup/system.slice/$service.service/cgroup.procs"
exec nsenter --net="/run/netns/weft-$service" setpriv --reuid="$service" --regid="$service" --init-groups "$@"`;

export class ServiceLab extends Lab {
  readonly #services: ReadonlyMap<string, string>;
  readonly #rewrite: (path: string, text: string) => string;

  /**
   * @param services by machine; each has the name of its user, and of its unit
   * @param rewrite of the text files that are put on machines
   */
  constructor(
    name: string,
    services: ReadonlyMap<string, string>,
    rewrite: (path: string, text: string) => string,
  ) {
    super(labNames(name));
    this.#services = services;
    this.#rewrite = rewrite;
  }

  override spawn(machine: string, argv: Command, options: SpawnOptions = {}): Promise<MachineProcess> {
    const { user } = options;
    if (user === undefined || this.#services.get(machine) !== user)
      return super.spawn(machine, argv, options);
    return super.spawn(machine, ["/bin/sh", "-c", enter, "enter", user, ...argv]);
  }

  override writeFile(
    machine: string,
    path: string,
    content: string | Uint8Array,
    mode?: number,
  ): Promise<void> {
    const text = typeof content === "string" ? this.#rewrite(path, content) : content;
    return super.writeFile(machine, path, text, mode);
  }
}
