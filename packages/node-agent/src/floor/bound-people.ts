// In: what a node is given, and who may stand for a service on it. Out: the same without the others. Pure. A service
// that is refused keeps its port closed: without its claim the port would be as open as the machine leaves it.
import type { DesiredContent, Endpoint } from "@weft/shared/model/desired";
import { valuesOf } from "./bound-dns.ts";
import type { Floor } from "./floor.ts";
import type { Refusals } from "./refusals.ts";

export function boundPeople(content: DesiredContent, floor: Floor, refusals: Refusals): DesiredContent {
  const { users, units } = floor;
  if (users === undefined && units === undefined) return content;
  const { policy, identity } = content;
  const isForeignUser = (user: string) =>
    users !== undefined && user !== "" && !valuesOf(users).includes(user);
  const isForeignUnit = (unit: string | undefined) =>
    units !== undefined && unit !== undefined && !valuesOf(units).includes(unit);
  const refused = new Set<string>();
  for (const { service, user } of policy.services)
    if (isForeignUser(user)) {
      refused.add(service);
      refusals.add(users?.line ?? 0, `user ${user} as service ${service}`);
    }
  for (const { service, user, unit } of identity.workloads) {
    if (isForeignUser(user)) {
      refused.add(service);
      refusals.add(users?.line ?? 0, `user ${user} as service ${service}`);
    }
    if (isForeignUnit(unit)) {
      refused.add(service);
      refusals.add(units?.line ?? 0, `unit ${unit} as service ${service}`);
    }
  }
  const closed = (endpoint: Endpoint): Endpoint =>
    refused.has(endpoint.service) ? { ...endpoint, user: "", mode: "enforce" } : endpoint;
  return {
    ...content,
    identity: {
      ...identity,
      workloads: identity.workloads.filter(({ service }) => !refused.has(service)),
    },
    policy: {
      ...policy,
      services: policy.services.map(closed),
      ingress: policy.ingress.filter(({ service, action }) => action === "deny" || !refused.has(service)),
      egress: policy.egress.filter(({ service, user, origin, action }) => {
        if (isForeignUser(user)) {
          refusals.add(users?.line ?? 0, `user ${user}`, origin);
          return false;
        }
        return action === "deny" || !refused.has(service);
      }),
    },
  };
}
