// In: lines of a floor, and what of a desired state differs from the smallest. Out: what the floor lets be of it, what it
// refuses, and the elements of its sets, for tests; and the parts to make such states of.
import { applyFloor } from "../../packages/node-agent/src/floor/apply-floor.ts";
import { parseFloor } from "../../packages/node-agent/src/floor/parse-floor.ts";
import type {
  DesiredContent,
  EgressRule,
  Endpoint,
  IngressRule,
} from "../../packages/shared/src/model/desired.ts";
import { refusalSentence } from "../../packages/shared/src/model/floor.ts";
import { policyElements } from "../../packages/shared/src/render/nftables-elements.ts";
import { emptyContent } from "./desired.ts";

export const tcp = (from: number, to = from) => ({ protocol: "tcp" as const, from, to });
export const origin = { policy: "ops", file: "mesh.yaml", line: 12 };
export const endpoint = (service: string, port: number, more: Partial<Endpoint> = {}): Endpoint => ({
  service,
  node: "web1",
  address: "10.77.0.11",
  portName: "http",
  port: tcp(port),
  user: service,
  mode: "enforce",
  ...more,
});
export const allow = (source: string, port: number, more: Partial<IngressRule> = {}): IngressRule => ({
  service: "web",
  port: tcp(port),
  action: "allow",
  mode: "enforce",
  from: source,
  source,
  strength: "address",
  origin,
  ...more,
});
export const letOut = (destination: string, more: Partial<EgressRule> = {}): EgressRule => ({
  service: "web",
  user: "web",
  to: destination,
  destination,
  port: tcp(443),
  action: "allow",
  mode: "enforce",
  origin,
  ...more,
});

type Change = (content: DesiredContent) => {
  readonly policy?: Partial<DesiredContent["policy"]>;
  readonly guard?: Partial<DesiredContent["policy"]["guard"]>;
  readonly dns?: Partial<DesiredContent["dns"]>;
  readonly identity?: Partial<DesiredContent["identity"]>;
};

export function floored(lines: string, change: ReturnType<Change>) {
  const text = `weft-floor: v1\n${lines}\n`;
  const { floor, problems } = parseFloor("floor.yaml", text);
  if (floor === undefined) throw new Error(problems.join("\n"));
  const base = emptyContent("web1");
  const wanted: DesiredContent = {
    ...base,
    identity: { ...base.identity, ...change.identity },
    policy: { ...base.policy, ...change.policy, guard: { ...base.policy.guard, ...change.guard } },
    dns: { ...base.dns, ...change.dns },
  };
  const { content, refusals } = applyFloor(wanted, floor);
  return {
    ...content,
    guard: content.policy.guard,
    refused: refusals.map(refusalSentence),
    elements: policyElements(content, (user) => `uid-${user}`),
  };
}
