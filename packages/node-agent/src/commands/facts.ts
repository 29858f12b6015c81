// `weft-node-agent facts [--json]`: what this machine is, as the coordinator would be told.
import { hookPlace } from "@weft/shared/kernel-verdict/foreign-hooks";
import { ciliumLines } from "@weft/shared/model/cilium";
import type { NodeFacts } from "@weft/shared/model/facts";
import { ComponentStore } from "../components/component-store.ts";
import { observeDnsOwner } from "../dns/owner.ts";
import { collectFacts } from "../facts/collect.ts";
import { readCpuModel } from "../facts/hardware.ts";
import type { CommandContext } from "./context.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";

export function factLines(facts: NodeFacts): string[] {
  const yesNo = (value: boolean) => (value ? "yes" : "no");
  const loads = facts.bpfProgramTypes.filter((type) => type.loads).map((type) => type.name);
  const refused = facts.bpfProgramTypes
    .filter((type) => !type.loads)
    .map((type) => `${type.name} (${type.why})`);
  const rows: [string, string][] = [
    ["host name", facts.hostname],
    ["system", `${facts.os}, ${facts.architecture}`],
    ["kernel", facts.kernel],
    ["systemd", facts.systemd || "none"],
    ["nft", facts.nft || "none"],
    ["BTF", yesNo(facts.btf)],
    ["bpffs", yesNo(facts.bpffs)],
    ["cgroup2", yesNo(facts.cgroup2)],
    ["BPF loads", loads.join(" ") || "none"],
    ["BPF refuses", refused.join(", ") || "none"],
    ["ss -K", yesNo(facts.socketDestroy)],
    ["DNS owner", `${facts.dnsOwner.owner}: ${facts.dnsOwner.evidence}`],
    ["processor", `${facts.cpus} x ${facts.cpuModel || "unknown"}`],
    ["memory", `${Math.round(facts.memoryBytes / 1024 / 1024)} MiB`],
    ...facts.interfaces.map((item): [string, string] => [
      `link ${item.name}`,
      `${item.up ? "up" : "down"} mtu ${item.mtu} ${item.mac} ${item.addresses.join(" ")}`,
    ]),
    ...facts.components.map((item): [string, string] => [item.name, `${item.version} (${item.source})`]),
    ["enforcement", facts.enforcementVerdict],
    ...ciliumLines(facts.ciliumVerdicts).map((line): [string, string] => ["Cilium", line]),
    ...facts.foreignHooks.map((hook): [string, string] => [
      "beside Weft",
      `${hookPlace(hook)}: ${hook.effect}`,
    ]),
    ...facts.trouble.map((line): [string, string] => ["trouble", line]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

export async function runFacts(context: CommandContext, json: boolean): Promise<ExitCode> {
  const components = new ComponentStore(context.host.files, () => undefined);
  const facts = await collectFacts(context.host, {
    dnsOwner: observeDnsOwner,
    cpuModel: readCpuModel,
    components: () => components.facts(),
  });
  const lines = json ? [JSON.stringify(facts, undefined, 2)] : factLines(facts);
  for (const line of lines) context.terminal.out(line);
  return exitCodes.done;
}
