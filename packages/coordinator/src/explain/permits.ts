// In: what the nodes of both ends are to enforce, and one connection. Out: whether that lets it pass, and the rule that
// says so. Pure: the meaning of the compiled mesh, for trying out a change of the file. What holds now, kernels say.
import { covers } from "@weft/shared/model/address";
import type {
  DesiredContent,
  DesiredPolicy,
  EgressRule,
  Origin,
  PortRange,
  Traffic,
} from "@weft/shared/model/desired";

export interface Connection {
  /** Of the sender; undefined: not one of the mesh. */
  readonly fromNode: string | undefined;
  /** Empty: no service's. */
  readonly user: string;
  readonly source: string;
  readonly toNode: string | undefined;
  readonly destination: string;
  readonly protocol: Traffic;
  readonly port: number;
}

export interface Permission {
  readonly allowed: boolean;
  /** undefined: a default. */
  readonly origin: Origin | undefined;
}

type Compiled = ReadonlyMap<string, DesiredContent>;

export function permits(compiled: Compiled, connection: Connection): Permission {
  const sent = sending(compiled, connection);
  if (!sent.allowed) return sent;
  const received = receiving(compiled, connection);
  return received.allowed ? { allowed: true, origin: received.origin ?? sent.origin } : received;
}

export const includes = (range: PortRange | undefined, { protocol, port }: Connection): boolean =>
  range === undefined || (range.protocol === protocol && range.from <= port && port <= range.to);

const byDefault = (allowed: boolean): Permission => ({ allowed, origin: undefined });

export function sending(compiled: Compiled, connection: Connection): Permission {
  const { fromNode, user, destination } = connection;
  const policy = fromNode === undefined ? undefined : compiled.get(fromNode)?.policy;
  if (policy === undefined) return byDefault(true);
  if (policy.guard.banned.includes(destination)) return byDefault(false);
  const mine = policy.egress.filter(
    (rule) =>
      (rule.user === "" || rule.user === user) &&
      covers(rule.destination, destination) &&
      includes(rule.port, connection),
  );
  const deny = mine.find(({ action, mode }) => action === "deny" && mode === "enforce");
  if (deny !== undefined) return { allowed: false, origin: deny.origin };
  const isRange = (rule: EgressRule) => rule.to === rule.destination;
  const allow = (inside: boolean) =>
    mine.find((rule) => rule.action === "allow" && (!inside || !isRange(rule)));
  const endpoint = policy.mesh.find(
    ({ address, port }) => address === destination && includes(port, connection),
  );
  if (endpoint !== undefined) {
    const rule = allow(true);
    if (rule !== undefined) return { allowed: true, origin: rule.origin };
    return byDefault(endpoint.mode === "audit");
  }
  const isService = compiled
    .get(fromNode ?? "")
    ?.identity.workloads.some((workload) => workload.user === user);
  if (policy.egressDefault === "allow" || isService !== true) return byDefault(true);
  const isNode = [...compiled.values()].some(({ address }) => address === destination);
  const rule = isNode ? undefined : allow(false);
  if (rule !== undefined) return { allowed: true, origin: rule.origin };
  return byDefault(policy.mode === "audit");
}

export function receiving(compiled: Compiled, connection: Connection): Permission {
  const { toNode, source } = connection;
  const policy = toNode === undefined ? undefined : compiled.get(toNode)?.policy;
  if (policy === undefined) return byDefault(true);
  if (policy.guard.banned.includes(source)) return byDefault(false);
  const endpoint = policy.services.find(({ port }) => includes(port, connection));
  if (endpoint === undefined) return undeclared(compiled, policy, connection);
  const mine = policy.ingress.filter(
    (rule) => covers(rule.source, source) && includes(rule.port, connection),
  );
  const deny = mine.find(({ action, mode }) => action === "deny" && mode === "enforce");
  if (deny !== undefined) return { allowed: false, origin: deny.origin };
  const isNode = [...compiled.values()].some(({ address }) => address === source);
  // a range never speaks for a node
  const allow = mine.find((rule) => rule.action === "allow" && (!isNode || rule.from !== rule.source));
  if (allow !== undefined) return { allowed: true, origin: allow.origin };
  return byDefault(endpoint.mode === "audit");
}

/** A ping, or a port that no service declares. */
function undeclared(
  compiled: Compiled,
  { baseline, ping = [] }: DesiredPolicy,
  connection: Connection,
): Permission {
  const { source, protocol } = connection;
  const isNode = [...compiled.values()].some(({ address }) => address === source);
  const isPing = protocol === "icmp";
  const mine = isPing ? ping.filter((rule) => covers(rule.source, source)) : [];
  const deny = mine.find(({ action, mode }) => action === "deny" && mode === "enforce");
  if (deny !== undefined) return { allowed: false, origin: deny.origin };
  if (baseline === undefined) return byDefault(true);
  const open = baseline.allow.filter(
    ({ port, source: range }) =>
      covers(range, source) && (port === undefined ? isPing : includes(port, connection)),
  );
  const allow = [...mine.filter(({ action }) => action === "allow"), ...open].find(
    (rule) => !isNode || rule.from !== rule.source,
  );
  if (allow !== undefined) return { allowed: true, origin: allow.origin };
  return { allowed: baseline.mode === "audit", origin: baseline.origin };
}
