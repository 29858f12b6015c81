// In: nothing. Out: a machine of an operator who has done his part, a fake agent of Cilium that its unit starts and stops, and
// the node agent's section that is to bring services there.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PolicyDirectory } from "../../../packages/node-agent/src/cilium/policy-directory.ts";
import { PublishedPorts } from "../../../packages/node-agent/src/cilium/published-ports.ts";
import { ServiceEndpoints } from "../../../packages/node-agent/src/cilium/service-endpoints.ts";
import type { Host } from "../../../packages/node-agent/src/host/host.ts";
import { CiliumSection } from "../../../packages/node-agent/src/sections/cilium-section.ts";
import type { SectionResult } from "../../../packages/node-agent/src/sections/section.ts";
import type { DesiredState } from "../../../packages/shared/src/model/desired.ts";
import { ciliumUnit } from "../../../packages/shared/src/render/cilium-places.ts";
import { AgentWorld, policyDirectory } from "./agent-world.ts";
import { EndpointMachine } from "./endpoint-machine.ts";

const never = new AbortController().signal;

export class SectionWorld {
  readonly world = new AgentWorld();
  readonly machine: EndpointMachine;
  readonly warnings: string[] = [];
  /** What the agent says that is in force, of what it was asked for. */
  readonly config: Record<string, unknown> = {
    EnablePolicy: "always",
    EnableSourceIPVerification: true,
    PolicyCIDRMatchMode: ["nodes"],
    IPv4Range: "10.42.1.0/24",
  };
  section: CiliumSection;
  #hasStarted = false;

  constructor() {
    const { agent, host } = this.world;
    for (const path of ["cilium-agent", "cilium-dbg", "bpf"]) this.#install(`/opt/weft/cilium/${path}`);
    this.#install("/usr/bin/clang-19");
    this.#hearUnit();
    this.machine = new EndpointMachine(host);
    agent.behaviours.set("config", (response) =>
      response.end(JSON.stringify({ status: { daemonConfigurationMap: this.config } })),
    );
    this.section = this.#made();
  }

  /** One look at everything. */
  look(desired: DesiredState): Promise<SectionResult> {
    return this.section.reconcile(desired, never);
  }

  /** The node agent begins anew, and the machine stays as it is. */
  restartAgent(): void {
    this.section = this.#made();
  }

  async dispose(): Promise<void> {
    await this.world.dispose();
  }

  #install(path: string): void {
    const at = join(this.world.host.root, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, "");
  }

  #made(): CiliumSection {
    const { client, clock, keeper, host: fake } = this.world;
    const { files, exec, units, sockets } = fake;
    const host: Host = { files, exec, units, sockets, clock };
    const warn = (line: string) => void this.warnings.push(line);
    return new CiliumSection({
      host,
      log: { info: () => {}, warn, error: warn },
      client,
      policies: new PolicyDirectory({ files, clock, client, directory: policyDirectory }),
      services: new ServiceEndpoints(host, keeper, new PublishedPorts(host)),
    });
  }

  /** Its unit is what runs the agent. */
  #hearUnit(): void {
    const { agent, host } = this.world;
    const { units } = host;
    const [start, stop] = [units.start.bind(units), units.stop.bind(units)];
    units.start = async (unit) => {
      await start(unit);
      if (unit !== ciliumUnit) return;
      if (this.#hasStarted) await agent.restart();
      else await agent.listen(host.root);
      this.#hasStarted = true;
    };
    units.stop = async (unit) => {
      await stop(unit);
      if (unit === ciliumUnit) await agent.close();
    };
  }
}
