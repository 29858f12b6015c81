// In: what one node is to enforce. Out: what its rules do with a connection that is sent, received or passed on there,
// and what says so. Pure: the meaning of the compiled content (design: mesh file, enforcement), held to the loaded
// rules of real kernels by the model check. Indexed, because a memory of flows is judged twice with every plan.
import { type Cidr, cidrContains, parseCidr } from "@weft/shared/model/address";
import type {
  Action,
  BaselineAllowance,
  DesiredContent,
  EgressRule,
  Endpoint,
  IngressRule,
  Mode,
  Origin,
  PingRule,
  PortRange,
  Traffic,
} from "@weft/shared/model/desired";

export interface Verdict {
  readonly passes: boolean;
  /** unjudged: no rule is concerned. */
  readonly by: "policy" | "default" | "guard" | "baseline" | "unjudged";
  /** Of a policy, or of what the baseline says. */
  readonly origin: Origin | undefined;
}

/** By which node. */
export interface Judged extends Verdict {
  readonly at: string;
}

export type Judges = ReadonlyMap<string, ContentJudge>;

export interface Wanted {
  readonly protocol: Traffic;
  /** 0 for icmp. */
  readonly port: number;
}

/** Things by the address or range they speak of. */
class AddressIndex<T> {
  readonly #hosts = new Map<string, T[]>();
  readonly #blocks: { readonly block: Cidr; readonly item: T }[] = [];

  constructor(items: readonly T[], addressOf: (item: T) => string) {
    for (const item of items) {
      const text = addressOf(item);
      if (text.includes("/")) {
        const block = parseCidr(text);
        if (block !== undefined) this.#blocks.push({ block, item });
      } else {
        // as it is written, and normalised: read in thousands, it is not taken apart
        const found = this.#hosts.get(text);
        if (found === undefined) this.#hosts.set(text, [item]);
        else found.push(item);
      }
    }
  }

  at(address: string): readonly T[] {
    const hosts = this.#hosts.get(address) ?? [];
    const inner = this.#blocks.length === 0 ? undefined : parseCidr(address);
    if (inner === undefined) return hosts;
    const blocks = this.#blocks.filter(({ block }) => cidrContains(block, inner)).map(({ item }) => item);
    return [...hosts, ...blocks];
  }
}

const includes = (range: PortRange | undefined, { protocol, port }: Wanted): boolean =>
  range === undefined || (range.protocol === protocol && range.from <= port && port <= range.to);

const unjudged: Verdict = { passes: true, by: "unjudged", origin: undefined };
const guarded: Verdict = { passes: true, by: "guard", origin: undefined };
const banned: Verdict = { passes: false, by: "guard", origin: undefined };
const byDefault = (passes: boolean): Verdict => ({ passes, by: "default", origin: undefined });
const byRule = ({ action, origin }: { readonly action: Action; readonly origin: Origin }): Verdict => ({
  passes: action === "allow",
  by: "policy",
  origin,
});
const isRefusal = ({ action, mode }: { readonly action: Action; readonly mode: Mode }): boolean =>
  action === "deny" && mode === "enforce";

export class ContentJudge {
  readonly #content: DesiredContent;
  readonly #ingress: AddressIndex<IngressRule>;
  readonly #egress: AddressIndex<EgressRule>;
  readonly #forward: AddressIndex<IngressRule>;
  readonly #mesh: AddressIndex<Endpoint>;
  readonly #admin: AddressIndex<string>;
  readonly #open: AddressIndex<BaselineAllowance>;
  readonly #ping: AddressIndex<PingRule>;
  /** No range speaks for them. */
  readonly #nodes: ReadonlySet<string>;
  readonly #serviceUsers: ReadonlySet<string>;

  constructor(content: DesiredContent) {
    const { policy, identity } = content;
    this.#content = content;
    this.#ingress = new AddressIndex(policy.ingress, ({ source }) => source);
    this.#egress = new AddressIndex(policy.egress, ({ destination }) => destination);
    this.#forward = new AddressIndex(policy.forward, ({ source }) => source);
    this.#mesh = new AddressIndex(policy.mesh, ({ address }) => address);
    this.#admin = new AddressIndex(policy.guard.admin, (range) => range);
    this.#open = new AddressIndex(policy.baseline?.allow ?? [], ({ source }) => source);
    this.#ping = new AddressIndex(policy.ping ?? [], ({ source }) => source);
    this.#nodes = new Set([...policy.guard.nodeAddresses, ...policy.mesh.map(({ address }) => address)]);
    this.#serviceUsers = new Set(identity.workloads.map(({ user }) => user));
  }

  get content(): DesiredContent {
    return this.#content;
  }

  /** @param user empty: no service's */
  sends(user: string, destination: string, wanted: Wanted): Verdict {
    const { guard, egressDefault, mode } = this.#content.policy;
    if (this.#isBanned(destination)) return banned;
    const { protocol, port } = wanted;
    if (
      destination === guard.coordinatorAddress &&
      guard.coordinatorPorts.some((each) => includes(each, wanted))
    )
      return guarded;
    if (port === 53 && guard.upstreams.includes(destination)) return guarded;
    const rules = this.#egress
      .at(destination)
      .filter((rule) => (rule.user === "" || rule.user === user) && includes(rule.port, { protocol, port }));
    const refusal = rules.find(isRefusal);
    if (refusal !== undefined) return byRule(refusal);
    const isRange = (rule: EgressRule) => rule.to === rule.destination;
    const endpoint = this.#mesh.at(destination).find((each) => includes(each.port, wanted));
    if (endpoint !== undefined) {
      const allowance = rules.find((rule) => rule.action === "allow" && !isRange(rule));
      return allowance === undefined ? byDefault(endpoint.mode === "audit") : byRule(allowance);
    }
    if (egressDefault === "allow" || !this.#serviceUsers.has(user)) return unjudged;
    const allowance = this.#nodes.has(destination)
      ? undefined
      : rules.find((rule) => rule.action === "allow" && isRange(rule));
    return allowance === undefined ? byDefault(mode === "audit") : byRule(allowance);
  }

  /** Of a sender an address is all that can be told here. */
  receives(source: string, wanted: Wanted): Verdict {
    const { guard, services } = this.#content.policy;
    if (this.#isBanned(source)) return banned;
    const isNode = this.#nodes.has(source);
    if (guard.isCoordinator) {
      const [agent, enrolment, ...others] = guard.coordinatorPorts;
      if (enrolment !== undefined && includes(enrolment, wanted)) return guarded;
      const forNodes = [agent, ...others].some((each) => each !== undefined && includes(each, wanted));
      if (forNodes) return { passes: isNode, by: "guard", origin: undefined };
    }
    const isGuardPort = guard.ports.some((each) => includes(each, wanted));
    // of the nodes only those that are named by their own address
    const isAdmin = isNode ? guard.admin.includes(source) : this.#admin.at(source).length > 0;
    if (isGuardPort && isAdmin) return guarded;
    const endpoint = services.find(({ port }) => includes(port, wanted));
    if (endpoint === undefined) return this.#undeclared(source, wanted);
    const rules = this.#ingress.at(source).filter(({ port }) => includes(port, wanted));
    return judgedBy(rules, isNode, endpoint.mode);
  }

  /** Sent to a port that this node passes on by DNAT, such as one published for a container. */
  publishes(source: string, wanted: Wanted): Verdict {
    if (this.#isBanned(source)) return banned;
    const endpoint = this.endpoint(wanted);
    if (endpoint === undefined) return this.#undeclared(source, wanted);
    const rules = this.#ingress.at(source).filter(({ port }) => includes(port, wanted));
    return judgedBy(rules, this.#nodes.has(source), endpoint.mode);
  }

  /** Passed on here to a service of another node. */
  forwards(source: string, destination: string, wanted: Wanted): Verdict {
    if (this.#isBanned(source) || this.#isBanned(destination)) return banned;
    const endpoint = this.#mesh.at(destination).find(({ port }) => includes(port, wanted));
    if (endpoint === undefined) return unjudged;
    const rules = this.#forward
      .at(source)
      .filter(({ port, service }) => service === endpoint.service && includes(port, wanted));
    const refusal = rules.find(isRefusal);
    if (refusal !== undefined) return byRule(refusal);
    if (this.#nodes.has(source)) return unjudged;
    return judgedBy(rules, false, endpoint.mode);
  }

  #isBanned(address: string): boolean {
    const { address: own, policy } = this.#content;
    return address !== own && policy.guard.banned.includes(address);
  }

  /** A ping, or a port that no service declares. */
  #undeclared(source: string, wanted: Wanted): Verdict {
    const { baseline, guard } = this.#content.policy;
    const isNode = this.#nodes.has(source);
    const isPing = wanted.protocol === "icmp";
    const pings = isPing ? this.#ping.at(source) : [];
    const refusal = pings.find(isRefusal);
    if (refusal !== undefined) return byRule(refusal);
    const mayBe = (rule: { readonly from: string; readonly source: string }) =>
      !isNode || rule.from !== rule.source;
    const allowance = pings.find((rule) => rule.action === "allow" && mayBe(rule));
    if (allowance !== undefined) return byRule(allowance);
    if (baseline === undefined) return unjudged;
    const open = this.#open
      .at(source)
      .find((rule) => mayBe(rule) && (rule.port === undefined ? isPing : includes(rule.port, wanted)));
    if (open !== undefined) return { passes: true, by: "baseline", origin: open.origin };
    const isProber = source === guard.coordinatorAddress;
    if (isProber && guard.ports.some((each) => includes(each, wanted))) return guarded;
    return { passes: baseline.mode === "audit", by: "baseline", origin: baseline.origin };
  }

  /** The declared port of this node that is. */
  endpoint(wanted: Wanted): Endpoint | undefined {
    return this.#content.policy.services.find(({ port }) => includes(port, wanted));
  }
}

function judgedBy(rules: readonly IngressRule[], isNode: boolean, mode: Mode): Verdict {
  const refusal = rules.find(isRefusal);
  if (refusal !== undefined) return byRule(refusal);
  const allowance = rules.find((rule) => rule.action === "allow" && (!isNode || rule.from !== rule.source));
  return allowance === undefined ? byDefault(mode === "audit") : byRule(allowance);
}
