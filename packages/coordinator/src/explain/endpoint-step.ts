// In: the endpoints of Cilium that a connection begins and ends at, and what their nodes answered. Out: what Cilium does with it
// there, as steps of the way beside those of nftables. Pure. The verdict is the policy map's, which names no policy; whose rule
// it is, what the node was given tells, as long as both say the same.
import type { DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import type { EndpointVerdict, KernelAnswer, NoAnswer } from "@weft/shared/model/observation";
import { spiffeLabel } from "@weft/shared/render/cilium-labels";
import { type EndpointPeer, type RuledBy, ruledBy } from "./endpoint-rule.ts";
import type { EndpointWay } from "./endpoint-way.ts";
import type { AskedPort } from "./endpoints.ts";
import { type EndpointStep, type HookAnswer, plainStep, type WhyStep } from "./why-path.ts";

type Direction = EndpointVerdict["direction"];

export interface EndpointEnds {
  readonly fromNode: string;
  readonly toNode: string;
}

/** @param hooks what was answered on the way */
export function endpointSteps(
  way: EndpointWay,
  { fromNode, toNode }: EndpointEnds,
  port: AskedPort,
  hooks: readonly HookAnswer[],
): EndpointStep[] {
  const { sender, receiver, isDirect, destination, seenSource } = way;
  if (sender !== undefined && sender === receiver) {
    const text = `stays in the namespace of ${sender.service}, where nobody judges`;
    return [{ node: fromNode, step: plainStep("cilium", "ok", text) }];
  }
  const at = (
    node: string,
    endpoint: DesiredEndpoint | undefined,
    direction: Direction,
    other: DesiredEndpoint | undefined,
    address: string,
  ): EndpointStep[] => {
    if (endpoint === undefined) return [];
    const peer: EndpointPeer = {
      spiffeId: isDirect ? other?.spiffeId : undefined,
      address,
      isHost: fromNode === toNode && !isDirect,
    };
    const given = ruledBy(endpoint.rules, direction, peer, port);
    const step = stepOf(
      node,
      { service: endpoint.service, direction, given, known: knownBy(peer, other?.service) },
      saidBy(hooks, node, endpoint.service, direction),
    );
    return [{ node, step }];
  };
  return [
    ...at(fromNode, sender, "egress", receiver, destination),
    ...at(toNode, receiver, "ingress", sender, seenSource),
  ];
}

/** A sentence that says why there is nothing, or what its node said. */
function saidBy(
  hooks: readonly HookAnswer[],
  node: string,
  service: string,
  direction: Direction,
): EndpointVerdict | string {
  let why = `${node} does not say what its policy map has`;
  for (const { answer } of hooks.filter((hook) => hook.node === node)) {
    if ("problem" in answer) {
      why = `${node} gives no answer: ${answer.problem}`;
      continue;
    }
    const found = answer.endpoints.find((each) => each.service === service && each.direction === direction);
    if (found !== undefined) return found;
  }
  return why;
}

/** Where the connection arrives: at an endpoint those in its namespace. undefined: its node does not say. */
export function whoListens(
  { receiver }: EndpointWay,
  hooks: readonly HookAnswer[],
): Pick<KernelAnswer, "listeners"> | NoAnswer | undefined {
  const arrival = hooks.find(({ kind }) => kind === "receiver")?.answer;
  if (receiver === undefined) return arrival;
  for (const { answer } of hooks) {
    if ("problem" in answer) continue;
    const { service } = receiver;
    const found = answer.endpoints.find((each) => each.service === service && each.direction === "ingress");
    if (found?.listeners !== undefined) return { listeners: found.listeners };
  }
  return undefined;
}

interface Judged {
  readonly service: string;
  readonly direction: Direction;
  /** By what its node was given. */
  readonly given: RuledBy;
  /** How it knows the other end. */
  readonly known: string;
}

function stepOf(
  node: string,
  { service, direction, given, known }: Judged,
  said: EndpointVerdict | string,
): WhyStep {
  const way = `${direction === "ingress" ? "into" : "out of"} the endpoint of ${service}`;
  const wanted = `${verb(given.passes)} by ${whose(given)}`;
  const why = typeof said === "string" ? said : said.whyUnknown;
  if (typeof said === "string" || said.verdict === "unknown")
    return plainStep(
      "cilium",
      "unknown",
      `is not known on its way ${way} (${why}); by the rules that ${node} was given, and not by its kernel, it ${wanted}; ${known}`,
    );
  const passes = said.verdict === "allow";
  const agrees = passes === given.passes;
  const origin = agrees ? given.rule?.origin : undefined;
  const entry = said.entry === "" ? "no entry is concerned with it" : said.entry;
  return {
    ...plainStep(
      "cilium",
      passes ? "ok" : "refused",
      `${passes ? "passes" : "is dropped on its way"} ${way} by ${agrees ? whose(given) : "its policy map"}; ${known}`,
    ),
    policy: origin?.policy ?? "",
    file: origin?.file ?? "",
    line: origin?.line ?? 0,
    witness: `Cilium at ${node}`,
    trace: [`policy map, ${direction}, identity ${said.identity}: ${entry}`],
    remarks: agrees
      ? []
      : [`by the rules that ${node} was given it ${wanted}: its policy map is what holds now`],
  };
}

function verb(passes: boolean): string {
  return passes ? "passes" : "is dropped";
}

function whose({ rule }: RuledBy): string {
  if (rule === undefined) return "default: no policy allows it";
  const { policy, file, line } = rule.origin;
  return policy === "" ? rule.because : `${policy} (${file}:${line})`;
}

function knownBy({ spiffeId, address, isHost }: EndpointPeer, service: string | undefined): string {
  if (spiffeId !== undefined)
    return `${service ?? "the other end"} is known by its label ${spiffeLabel(spiffeId)}`;
  return isHost ? "the other end is this machine" : `the other end is known by its address ${address} alone`;
}
