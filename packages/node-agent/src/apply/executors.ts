// In: the edges of this machine. Out: the one table from step kinds to what does them; a kind without an executor does
// not compile.
import type { ComponentStore } from "../components/component-store.ts";
import type { DnsClient } from "../dns/query.ts";
import { GiveResolver, TakeResolver } from "../dns/take-resolver.ts";
import type { Host } from "../host/host.ts";
import type { DeadMan } from "../policy/dead-man.ts";
import { ArmPolicy } from "./exec-arm.ts";
import { FetchComponent } from "./exec-component.ts";
import { RemoveFile, WriteFile } from "./exec-file.ts";
import { LoadPolicy } from "./exec-policy.ts";
import { AttestSpireAgent, type SpireDuties } from "./exec-spire.ts";
import { DisableUnit, EnableUnit } from "./exec-unit.ts";
import type { ExecutorTable } from "./executor.ts";

/** Long enough for a packet of every busy connection to pass and be tracked. */
const trackingMs = 1_000;

export interface ExecutorEdges {
  readonly host: Host;
  readonly components: ComponentStore;
  readonly dns: DnsClient;
  readonly deadMan: DeadMan;
  readonly spire: Omit<SpireDuties, "host">;
}

export function makeExecutors({ host, components, dns, deadMan, spire }: ExecutorEdges): ExecutorTable {
  return {
    fetchComponent: new FetchComponent(components),
    writeFile: new WriteFile(host.files),
    removeFile: new RemoveFile(host.files),
    enableUnit: new EnableUnit(host.units),
    disableUnit: new DisableUnit(host.units),
    loadPolicy: new LoadPolicy(host, trackingMs),
    armPolicy: new ArmPolicy(host, deadMan),
    attestSpireAgent: new AttestSpireAgent({ host, ...spire }),
    takeResolver: new TakeResolver(host, dns),
    giveResolver: new GiveResolver(host),
  };
}
