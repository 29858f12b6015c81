// In: a source of randomness. Out: what a stolen coordinator might send one node: nothing in it is made to make sense, and
// all of it is of the form that the wire lets through.
import type {
  BaselineAllowance,
  DesiredContent,
  EgressRule,
  Endpoint,
  IngressRule,
  Mode,
  PortRange,
} from "../../packages/shared/src/model/desired.ts";
import { emptyContent } from "./desired.ts";
import type { Random } from "./random-mesh.ts";

/** In and around what a floor speaks of, so that most draws meet a bound. */
export const hostileAddresses = [
  "0.0.0.0/0",
  "::/0",
  "10.77.0.0/24",
  "10.77.0.12",
  "10.77.0.66",
  "192.0.2.0/24",
  "192.0.2.5",
  "203.0.113.0/24",
  "203.0.113.9",
  "169.254.169.254",
  "fd77::66",
  "172.17.0.5",
] as const;
const single = hostileAddresses.filter((text) => !text.includes("/"));
const numbers = [1, 22, 53, 443, 5432, 7443, 7444, 8080, 8081, 9999, 65535];
const users = ["web", "mallory", "root"];

export function hostileContent(random: Random): DesiredContent {
  const { pick, chance, below } = random;
  const few = <T>(make: () => T): T[] => Array.from({ length: below(5) }, make);
  const mode = (): Mode => (chance(40) ? "audit" : "enforce");
  const port = (): PortRange => {
    const [a, b] = [pick(numbers), chance(60) ? undefined : pick(numbers)];
    return { protocol: chance(80) ? "tcp" : "udp", from: Math.min(a, b ?? a), to: Math.max(a, b ?? a) };
  };
  const name = () => pick(["web", "db", "trap"]);
  const origin = { policy: "p", file: "mesh.yaml", line: 7 };
  const endpoint = (address: string): Endpoint => ({
    service: name(),
    node: "web1",
    address,
    portName: "x",
    port: port(),
    user: pick(users),
    mode: mode(),
  });
  const action = () => (chance(80) ? "allow" : "deny") as "allow" | "deny";
  const end = (named: string): { readonly name: string; readonly block: string } => {
    const block = chance(50) ? pick(hostileAddresses) : pick(single);
    return { name: chance(50) ? block : named, block };
  };
  const ingress = (): IngressRule => {
    const { name: from, block: source } = end("api");
    return {
      service: name(),
      port: port(),
      action: action(),
      mode: mode(),
      from,
      source,
      strength: "address",
      origin,
    };
  };
  const egress = (): EgressRule => {
    const { name: to, block: destination } = end("api");
    const user = chance(20) ? "" : pick(users);
    return {
      service: name(),
      user,
      to,
      destination,
      port: chance(70) ? port() : undefined,
      action: action(),
      mode: mode(),
      origin,
    };
  };
  const allowance = (): BaselineAllowance => {
    const { name: from, block: source } = end(pick(["api", "any"]));
    return { from, source, port: chance(80) ? port() : undefined, origin };
  };
  const base = emptyContent("web1");
  return {
    ...base,
    identity: {
      ...base.identity,
      workloads: few(() => ({
        service: name(),
        spiffeId: "spiffe://mesh.internal/x",
        user: pick(users),
        unit: undefined,
      })),
    },
    policy: {
      ...base.policy,
      services: few(() => endpoint("10.77.0.11")),
      ingress: few(ingress),
      mesh: few(() => endpoint(pick(single))),
      egress: few(egress),
      forward: few(ingress),
      guard: {
        ...base.policy.guard,
        admin: few(() => pick(hostileAddresses)),
        ports: few(port),
        coordinatorAddress: pick(["10.77.0.10", "203.0.113.9", "192.0.2.5"]),
        coordinatorPorts: [port(), port(), port()],
        isCoordinator: chance(40),
        nodeAddresses: few(() => pick(single)),
        upstreams: few(() => pick(single)),
        banned: few(() => pick(single)),
      },
      egressDefault: chance(70) ? "allow" : "deny",
      mode: mode(),
      boot: chance(50) ? "open" : "guards-only",
      baseline: chance(50) ? undefined : { mode: mode(), origin, allow: few(allowance) },
      ping: [],
    },
  };
}
