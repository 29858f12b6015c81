// In: what one node is to be, before and after. Out: plain sentences about what changes there. Pure.
import type {
  Baseline,
  DesiredContent,
  EgressRule,
  IngressRule,
  Origin,
  PingRule,
  PortRange,
} from "@weft/shared/model/desired";
import { ownEtcd } from "../mesh/own-etcd.ts";
import { formatRange } from "../mesh/selection.ts";

/** What can be said about a node, by something that stays the same when only its origin moves. */
type Statements = ReadonlyMap<string, Statement>;

interface Statement {
  readonly now: string;
  readonly noLonger: string;
  readonly origin: string;
  /** About the node's surroundings: goes without saying for one that is new. */
  readonly isBackground: boolean;
}

function originText({ policy, file, line }: Origin): string {
  return policy === "" ? "" : ` (policy ${policy}, ${file}:${line})`;
}

const inAudit = (mode: string) => (mode === "audit" ? ", in audit: counted, not refused" : "");

function portText(port: PortRange | undefined): string {
  return port === undefined ? "" : `:${formatRange(port)}`;
}

export function statementsOf(content: DesiredContent | undefined): Statements {
  if (content === undefined) return new Map();
  const statements = new Map<string, Statement>();
  const add = (isBackground: boolean): Say => {
    return (now, noLonger, origin = "") => {
      if (!statements.has(now)) statements.set(now, { now, noLonger, origin, isBackground });
    };
  };
  const say = add(false);
  const sayInPassing = add(true);
  const { policy, identity, dns } = content;
  for (const { service, spiffeId, user, unit } of identity.workloads) {
    // it has certificates by its node's agent, not by its user and unit
    if (service === ownEtcd) continue;
    const who = unit === undefined ? `processes of user ${user}` : `processes of user ${user} in ${unit}`;
    say(`${who} get the identity ${spiffeId} (service ${service})`, `${who} no longer get ${spiffeId}`);
  }
  for (const { service, portName, port, mode } of policy.services)
    say(
      `${service}:${formatRange(port)} (${portName}) is judged by policy${inAudit(mode)}`,
      `${service}:${formatRange(port)} (${portName}) is no longer judged by policy${inAudit(mode)}`,
    );
  const suffix = `.node.${dns.zone}`;
  const nodeAt = new Map(
    dns.records
      .filter(({ name, type }) => type !== "SRV" && name.endsWith(suffix))
      .map(({ name, value }) => [value, name.slice(0, -suffix.length)]),
  );
  for (const rule of policy.ingress) sayIngress(say, rule, nodeAt);
  for (const rule of policy.egress) sayEgress(say, rule, nodeAt, content.node);
  for (const rule of policy.ping ?? []) sayPing(say, rule, nodeAt);
  sayBaseline(say, policy.baseline, nodeAt);
  for (const rule of policy.forward) {
    const what = `traffic from ${rule.source} to ${rule.service}${portText(rule.port)}`;
    const verb = rule.action === "allow" ? "may be" : "must not be";
    sayInPassing(
      `${what} ${verb} forwarded here${rule.action === "deny" ? inAudit(rule.mode) : ""}`,
      rule.action === "allow"
        ? `${what} may no longer be forwarded here`
        : `${what} is no longer refused when forwarded here`,
      originText(rule.origin),
    );
  }
  sayInPassing(
    `services may open ${policy.egressDefault === "allow" ? "anything" : "nothing"} outside the mesh unless a policy says so${inAudit(policy.mode)}`,
    "",
  );
  for (const { name, type, value } of dns.records)
    sayInPassing(`the name ${name} has ${type} ${value}`, `the name ${name} loses ${type} ${value}`);
  sayInPassing(
    `names outside ${dns.zone} are asked of ${dns.upstreams.join(", ") || "the servers the node had"}`,
    "",
  );
  sayInPassing(`the host's resolver is taken over in mode ${dns.mode}`, "");
  sayInPassing(
    `without trusted rules at boot, ${policy.boot === "open" ? "everything is open" : "only guard flows pass"}`,
    "",
  );
  sayGuards(sayInPassing, content);
  return statements;
}

type Say = (now: string, noLonger: string, origin?: string) => void;

function sayIngress(say: Say, rule: IngressRule, nodeAt: ReadonlyMap<string, string>): void {
  const node = nodeAt.get(rule.source);
  const source =
    rule.from === rule.source
      ? rule.source
      : rule.from === node || node === undefined
        ? `${rule.strength === "address" ? "node " : ""}${rule.from} (${rule.source})`
        : `${rule.strength === "address" ? "node " : ""}${rule.from} on ${node} (${rule.source})`;
  const target = `${rule.service}${portText(rule.port)}`;
  const audit = inAudit(rule.mode);
  if (rule.action === "allow")
    say(`${target} accepts ${source}`, `${target} no longer accepts ${source}`, originText(rule.origin));
  else
    say(
      `${target} refuses ${source}${audit}`,
      `${target} no longer refuses ${source} by itself`,
      originText(rule.origin),
    );
}

function sayPing(say: Say, rule: PingRule, nodeAt: ReadonlyMap<string, string>): void {
  const node = nodeAt.get(rule.source);
  const source = rule.from === rule.source ? rule.source : `${node ?? rule.from} (${rule.source})`;
  const audit = rule.action === "deny" ? inAudit(rule.mode) : "";
  if (rule.action === "allow")
    say(
      `ping from ${source} is let in`,
      `ping from ${source} is no longer let in by itself`,
      originText(rule.origin),
    );
  else
    say(
      `ping from ${source} is refused${audit}`,
      `ping from ${source} is no longer refused by itself`,
      originText(rule.origin),
    );
}

function sayBaseline(say: Say, baseline: Baseline | undefined, nodeAt: ReadonlyMap<string, string>): void {
  if (baseline === undefined) return;
  const place = ({ file, line }: Origin) => ` (baseline, ${file}:${line})`;
  say(
    `every port that no service declares, and ping, is closed to whom nothing here names${inAudit(baseline.mode)}; ` +
      "guards, answers and connections that are open already pass",
    `ports that no service declares, and ping, are no longer closed${inAudit(baseline.mode)}`,
    place(baseline.origin),
  );
  const seen = new Set<string>();
  for (const { from, source, port, origin } of baseline.allow) {
    const who =
      from === "any" ? "anybody" : from === source ? source : `any process of ${nodeAt.get(source) ?? from}`;
    const what = port === undefined ? "ping it" : `open ${formatRange(port)}`;
    if (seen.has(`${who} ${what}`)) continue;
    seen.add(`${who} ${what}`);
    say(
      `${who} may ${what}, beside the policies`,
      `${who} may no longer ${what}, beside the policies`,
      place(origin),
    );
  }
}

function sayEgress(say: Say, rule: EgressRule, nodeAt: ReadonlyMap<string, string>, here: string): void {
  const who = rule.user === "" ? `any process of ${here}` : rule.service;
  const node = nodeAt.get(rule.destination);
  const target =
    rule.to === rule.destination
      ? `${rule.to}${rule.port === undefined ? "" : ` on ${formatRange(rule.port)}`}`
      : `${rule.to}${portText(rule.port)} on ${node ?? rule.destination}`;
  const audit = rule.action === "deny" ? inAudit(rule.mode) : "";
  if (rule.action === "allow")
    say(`${who} may open ${target}`, `${who} may no longer open ${target}`, originText(rule.origin));
  else
    say(
      `${who} must not open ${target}${audit}`,
      `${who} is no longer kept from opening ${target}`,
      originText(rule.origin),
    );
}

function sayGuards(say: Say, { policy }: DesiredContent): void {
  const { guard } = policy;
  for (const range of guard.admin)
    for (const port of guard.ports)
      say(
        `guard: ${range} always reaches ${formatRange(port)}`,
        `guard: ${range} no longer always reaches ${formatRange(port)}`,
      );
  if (guard.isCoordinator)
    for (const address of guard.nodeAddresses)
      say(
        `node ${address} reaches the coordinator's ports`,
        `node ${address} no longer reaches the coordinator's ports`,
      );
  for (const port of guard.coordinatorPorts)
    say(
      `guard: the coordinator is always reached at ${guard.coordinatorAddress}:${formatRange(port)}`,
      `guard: ${guard.coordinatorAddress}:${formatRange(port)} is no longer kept open`,
    );
}

/** What is new, then what is gone. */
export function changedSentences(
  before: DesiredContent | undefined,
  after: DesiredContent | undefined,
): string[] {
  const old = statementsOf(before);
  const now = statementsOf(after);
  const gained = [...now]
    .filter(([key, { isBackground }]) => !old.has(key) && !(before === undefined && isBackground))
    .map(([, statement]) => statement.now + statement.origin);
  const lost = [...old]
    .filter(([key, { noLonger }]) => !now.has(key) && noLonger !== "")
    .map(([, statement]) => statement.noLonger + statement.origin);
  return [...gained, ...lost];
}
