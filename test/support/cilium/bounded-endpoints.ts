// In: endpoints of Cilium a node is given, and the lines of its floor. Out: what is left of them, and what was refused.
import { applyFloor } from "../../../packages/node-agent/src/floor/apply-floor.ts";
import { parseFloor } from "../../../packages/node-agent/src/floor/parse-floor.ts";
import type { DesiredContent } from "../../../packages/shared/src/model/desired.ts";
import type { DesiredEndpoint } from "../../../packages/shared/src/model/desired-cilium.ts";
import { refusalSentence } from "../../../packages/shared/src/model/floor.ts";
import { emptyContent } from "../desired.ts";
import { tcp } from "../floored.ts";

export const endpoint = (
  service: string,
  address: string,
  more: Partial<DesiredEndpoint> = {},
): DesiredEndpoint => ({
  service,
  spiffeId: `spiffe://mesh.internal/${service}`,
  unit: `${service}.service`,
  address,
  ports: [tcp(8080)],
  rules: [],
  ...more,
});

export function wantedWith(
  endpoints: readonly DesiredEndpoint[],
  more: readonly string[] = [],
): DesiredContent {
  const base = emptyContent("web1");
  return {
    ...base,
    identity: {
      ...base.identity,
      workloads: endpoints.map(({ service, unit, spiffeId }) => ({ service, user: service, unit, spiffeId })),
    },
    policy: { ...base.policy, endpoints: [...endpoints.map(({ address }) => address), ...more] },
    cilium: {
      etcd: { members: ["http://10.77.0.10:2379"], ca: undefined, certificate: undefined, key: undefined },
      range: "10.42.1.0/24",
      ranges: "10.42.0.0/16",
      endpoints,
    },
  };
}

/** @param lines of a floor; undefined: there is none */
export function bounded(wanted: DesiredContent, lines?: string) {
  const { floor, problems } = parseFloor("floor.yaml", `weft-floor: v1\n${lines ?? ""}\n`);
  if (floor === undefined) throw new Error(problems.join("\n"));
  const { content, refusals } = applyFloor(wanted, lines === undefined ? undefined : floor);
  return {
    content,
    services: content.cilium?.endpoints.map(({ service }) => service),
    addresses: content.policy.endpoints,
    rules: content.cilium?.endpoints.flatMap(({ rules }) => rules),
    refused: refusals.map(refusalSentence),
  };
}

export const two = wantedWith([endpoint("api", "10.42.1.5"), endpoint("web", "10.42.1.6")]);
