// In: what the nodes enforce, and a connection that a kernel counted as audited. Out: every policy on trial that would
// refuse it. Pure. A deny on trial refuses whom it names; a port on trial is opened by policies on trial alone, and they
// would refuse whom they do not name.
import { covers } from "@weft/shared/model/address";
import type {
  Action,
  DesiredContent,
  DesiredPolicy,
  Mode,
  Origin,
  PortRange,
} from "@weft/shared/model/desired";
import type { Direction } from "@weft/shared/model/observation";
import { type Connection, includes } from "./permits.ts";

type Compiled = ReadonlyMap<string, DesiredContent>;

interface Rule {
  readonly action: Action;
  readonly mode: Mode;
  readonly origin: Origin;
}

/** @param node whose kernel counted it */
export function auditedBy(
  compiled: Compiled,
  connection: Connection,
  node: string,
  direction: Direction,
): Origin[] {
  const policy = compiled.get(node)?.policy;
  if (policy === undefined) return [];
  const speaking = rulesOf(policy, connection, direction);
  const denials = speaking.filter(({ action, mode }) => action === "deny" && mode === "audit");
  const isAllowed = speaking.some(({ action }) => action === "allow");
  const receiver = compiled.get(connection.toNode ?? "")?.policy;
  const trials = isAllowed || receiver === undefined ? [] : trialsOf(receiver, connection);
  const origins = [...denials.map(({ origin }) => origin), ...trials];
  return [...new Map(origins.map((origin) => [origin.policy, origin])).values()];
}

/** That speak of both its ends, where it was counted. */
function rulesOf(policy: DesiredPolicy, connection: Connection, direction: Direction): readonly Rule[] {
  const { source, destination, user, protocol } = connection;
  if (direction === "out")
    return policy.egress.filter(
      (rule) =>
        (rule.user === "" || rule.user === user) &&
        covers(rule.destination, destination) &&
        includes(rule.port, connection),
    );
  if (protocol === "icmp") return (policy.ping ?? []).filter((rule) => covers(rule.source, source));
  const isOf = (rule: { readonly source: string; readonly port: PortRange }) =>
    covers(rule.source, source) && includes(rule.port, connection);
  return (direction === "in" ? policy.ingress : policy.forward).filter(isOf);
}

function trialsOf({ services, ingress, baseline }: DesiredPolicy, connection: Connection): Origin[] {
  const endpoint = services.find(({ port }) => includes(port, connection));
  if (endpoint === undefined) return baseline?.mode === "audit" ? [baseline.origin] : [];
  if (endpoint.mode !== "audit") return [];
  return ingress
    .filter(({ action, mode, port }) => action === "allow" && mode === "audit" && includes(port, connection))
    .map(({ origin }) => origin);
}
