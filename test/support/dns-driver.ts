// Runs inside a lab machine, bundled: the DNS part of the node agent alone, without coordinator or enrolment.
// In: a verb, and for most of them the desired content as JSON on standard input. Out: one JSON value.
import { readFileSync } from "node:fs";
import { RemoveFile, WriteFile } from "../../packages/node-agent/src/apply/exec-file.ts";
import { DisableUnit, EnableUnit } from "../../packages/node-agent/src/apply/exec-unit.ts";
import type { Executor, ExecutorTable } from "../../packages/node-agent/src/apply/executor.ts";
import { runSteps } from "../../packages/node-agent/src/apply/runner.ts";
import { decideForNode, observeDns } from "../../packages/node-agent/src/dns/observe-dns.ts";
import { observeDnsOwner } from "../../packages/node-agent/src/dns/owner.ts";
import { dnsConditions, planDns } from "../../packages/node-agent/src/dns/plan-dns.ts";
import { DnsProbe } from "../../packages/node-agent/src/dns/probe.ts";
import { UdpDnsClient } from "../../packages/node-agent/src/dns/query.ts";
import { GiveResolver, giveBack, TakeResolver } from "../../packages/node-agent/src/dns/take-resolver.ts";
import { linuxHost } from "../../packages/node-agent/src/host/linux-host.ts";
import type { DesiredContent } from "../../packages/shared/src/model/desired.ts";
import type { StepKind } from "../../packages/shared/src/model/step.ts";

const host = linuxHost();
const client = new UdpDnsClient();
const { signal } = new AbortController();

function unplanned<K extends StepKind>(kind: K): Executor<K> {
  const refuse = async (): Promise<never> => {
    throw new Error(`the DNS plan holds a step ${kind}`);
  };
  return { apply: refuse, verify: refuse };
}

const table: ExecutorTable = {
  fetchComponent: unplanned("fetchComponent"),
  loadPolicy: unplanned("loadPolicy"),
  armPolicy: unplanned("armPolicy"),
  attestSpireAgent: unplanned("attestSpireAgent"),
  writeFile: new WriteFile(host.files),
  removeFile: new RemoveFile(host.files),
  enableUnit: new EnableUnit(host.units),
  disableUnit: new DisableUnit(host.units),
  takeResolver: new TakeResolver(host, client),
  giveResolver: new GiveResolver(host),
};

const desired = (): DesiredContent => JSON.parse(readFileSync(0, "utf8")) as DesiredContent;

async function converge(): Promise<unknown> {
  const content = desired();
  const decision = await decideForNode(host, content);
  const observed = await observeDns(host);
  const steps = planDns(content, observed, decision, Math.floor(Date.now() / 1000));
  const { end, steps: reports } = await runSteps(steps, table, host.clock, signal);
  return { decision, end, steps: reports, conditions: dnsConditions(await observeDns(host), decision) };
}

/** Checks every 0.2 s until the resolver answers again after it was found down, at most 30 times. */
async function watch(): Promise<unknown> {
  const content = desired();
  const decision = await decideForNode(host, content);
  const probe = new DnsProbe(host, client);
  const seen: unknown[] = [];
  let down = false;
  for (let check = 0; check < 30; check++) {
    const result = await probe.check(content, decision);
    seen.push(result);
    down ||= result.conditions.some((condition) => condition.code === "DNS_DOWN");
    if (down && result.report.state === "in-force") break;
    await host.clock.sleep(200);
  }
  return seen;
}

async function check(): Promise<unknown> {
  const content = desired();
  return await new DnsProbe(host, client).check(content, await decideForNode(host, content));
}

const verbs: Readonly<Record<string, () => Promise<unknown>>> = {
  converge,
  watch,
  check,
  give: () => giveBack(host),
  owner: () => observeDnsOwner(host),
};
const verb = verbs[process.argv[2] ?? ""];
if (verb === undefined) throw new Error("usage: dns-driver converge|watch|check|give|owner");
process.stdout.write(`${JSON.stringify(await verb())}\n`);
