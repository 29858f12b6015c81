// In: what is to change where, and how good each node's memory of flows is. Out: for each node whose rules change what
// the replay cannot tell, in words: what is not remembered is UNKNOWN, never safe. Pure.
import type { DesiredContent, Endpoint, PortRange } from "@weft/shared/model/desired";
import type { SpentQuota } from "@weft/shared/model/observation";
import { byText } from "@weft/shared/plan/text-order";
import type { HeardEndpoints } from "../fleet/observations.ts";
import { intersect } from "../mesh/selection.ts";
import type { Contents } from "./connections.ts";

export interface Memory {
  readonly node: string;
  /** fresh: told just now. */
  readonly state: "fresh" | "stale" | "silent" | "not joined";
  readonly fullSets: readonly string[];
  /** Flows that are known to be missing. */
  readonly leftOut: number;
  /** What is in force there is what the replay takes as "before". */
  readonly isCurrent: boolean;
  /** Of these more was seen than is remembered. */
  readonly spent: readonly SpentQuota[];
  /** What was opened before is not remembered; undefined: nothing is. */
  readonly since: Date | undefined;
  /** Of Cilium at its endpoints; undefined: it has told nothing of any. */
  readonly endpoints?: HeardEndpoints | undefined;
}

export interface UnknownSpan {
  readonly node: string;
  readonly text: string;
  /** Of these alone: "user web", an address; empty: of everybody. */
  readonly source: string;
  /** What came before; undefined: at any time. */
  readonly since: Date | undefined;
}

/** @param fullSince when a memory begins that is as long as it can be */
export function unknownSpans(
  memories: readonly Memory[],
  before: Contents,
  after: Contents,
  fullSince: Date,
): UnknownSpan[] {
  const byNode = new Map(memories.map((memory) => [memory.node, memory]));
  return changedNodes(before, after).flatMap((node) => {
    const memory = byNode.get(node);
    const texts = [
      ...memoryTexts(memory),
      ...undeclaredTexts(before.get(node), after.get(node)),
      ...forwardTexts(before.get(node), after.get(node)),
      ...addressTexts(before.get(node), after.get(node)),
    ];
    const whole = texts.map((text) => ({ node, text, source: "", since: undefined }));
    return [
      ...whole,
      ...ageSpans(memory, fullSince),
      ...endpointSpans(memory, before.get(node), after.get(node), fullSince),
      ...spentSpans(memory),
    ];
  });
}

/** Whose verdicts may turn. */
export function changedNodes(before: Contents, after: Contents): string[] {
  return [...before.keys()]
    .filter((node) => rulesOf(before.get(node)) !== rulesOf(after.get(node)))
    .sort(byText);
}

function ageSpans(memory: Memory | undefined, fullSince: Date): UnknownSpan[] {
  if (memory?.since === undefined || memory.since <= fullSince) return [];
  const { node, since } = memory;
  return [{ node, source: "", since, text: "what was opened before its memory began is UNKNOWN" }];
}

/** No kernel remembers what Cilium did: the node's agent does, and only while it heard it. */
function endpointSpans(
  memory: Memory | undefined,
  before: DesiredContent | undefined,
  after: DesiredContent | undefined,
  fullSince: Date,
): UnknownSpan[] {
  if (memory === undefined || memory.state === "silent" || memory.state === "not joined") return [];
  const { node, endpoints } = memory;
  const has = (content: DesiredContent | undefined) => (content?.cilium?.endpoints.length ?? 0) > 0;
  const span = (text: string, since?: Date) => [{ node, source: "", since, text }];
  if (!has(before))
    return has(after)
      ? span("its services move into namespaces: what they open on their own machine is not counted: UNKNOWN")
      : [];
  if (endpoints === undefined)
    return span("it has told nothing of its endpoints: what Cilium saw is UNKNOWN");
  const { since, gap } = endpoints;
  if (since === undefined) return span(`what Cilium sees at its endpoints is not heard (${gap}): UNKNOWN`);
  if (since <= fullSince) return [];
  return span(`what was opened before Cilium was heard there (${gap}) is UNKNOWN`, since);
}

function spentSpans(memory: Memory | undefined): UnknownSpan[] {
  return (memory?.spent ?? []).map(({ direction, source, uid, user, endpoint }) => {
    const local = endpoint === undefined ? `user ${user === "" ? uid : user}` : `service ${endpoint}`;
    const who = direction === "out" ? local : (source ?? "");
    const what = direction === "out" ? "what else it opened outside the mesh" : "what else it opened there";
    return {
      node: memory?.node ?? "",
      source: who,
      since: undefined,
      text: `${who} opened more than is remembered of one source: ${what} is UNKNOWN`,
    };
  });
}

/** What decides verdicts: neither lines of the file nor what is not policy. */
function rulesOf(content: DesiredContent | undefined): string {
  const rules =
    content === undefined
      ? undefined
      : [content.address, content.policy, content.identity.workloads, content.cilium?.endpoints];
  const isText = (key: string) => key === "origin" || key === "because";
  return JSON.stringify(rules, (key, value: unknown) => (isText(key) ? undefined : value)) ?? "";
}

function memoryTexts(memory: Memory | undefined): string[] {
  if (memory === undefined || memory.state === "silent")
    return ["it has told no flows: all of them are UNKNOWN"];
  if (memory.state === "not joined") return [];
  return [
    ...(memory.state === "stale" ? ["it does not answer now: what it saw of late is UNKNOWN"] : []),
    ...(memory.isCurrent ? [] : ["it does not carry the current revision: what passes there now is UNKNOWN"]),
    ...memory.fullSets
      .filter((set) => /^(seen|spent)_/.test(set))
      .map((set) => `its set ${set} is full: what is not in it is UNKNOWN`),
    ...(memory.leftOut > 0 ? [`${memory.leftOut} of its flows were not told: they are UNKNOWN`] : []),
  ];
}

function isCovered({ protocol, from, to }: PortRange, endpoints: readonly Endpoint[]): boolean {
  let next = from;
  const ranges = endpoints
    .flatMap(({ port }) => intersect(port, { protocol, from, to }) ?? [])
    .sort((a, b) => a.from - b.from);
  for (const range of ranges) if (range.from <= next) next = Math.max(next, range.to + 1);
  return next > to;
}

/** A ping is only counted when it would be, or is, refused; what has no ports of TCP or UDP, never when it passes. */
function undeclaredTexts(before: DesiredContent | undefined, after: DesiredContent | undefined): string[] {
  if (before === undefined || after?.policy.baseline === undefined) return pingTexts(before, after);
  if (before.policy.baseline !== undefined) return pingTexts(before, after);
  return [
    "its baseline closes: who pings it, or uses protocols beside TCP and UDP, was not counted: UNKNOWN",
  ];
}

function pingTexts(before: DesiredContent | undefined, after: DesiredContent | undefined): string[] {
  const rules = (content: DesiredContent | undefined) =>
    JSON.stringify([
      content?.policy.ping?.map(({ origin: _, ...rule }) => rule) ?? [],
      content?.policy.baseline?.allow.filter(({ port }) => port === undefined).map(({ source }) => source) ??
        [],
    ]);
  if (before === undefined || after === undefined || rules(before) === rules(after)) return [];
  return ["pings that pass are not counted: whom this change refuses them is UNKNOWN"];
}

/** What a node passes on for others, and lets pass, is counted nowhere on the way. */
function forwardTexts(before: DesiredContent | undefined, after: DesiredContent | undefined): string[] {
  if (after === undefined) return [];
  const at = (content: DesiredContent | undefined, address: string) =>
    content?.policy.mesh.filter((endpoint) => endpoint.address === address) ?? [];
  const isNew = after.policy.mesh.some(
    ({ node, address, port }) => node !== after.node && !isCovered(port, at(before, address)),
  );
  const rules = (content: DesiredContent | undefined) =>
    JSON.stringify(content?.policy.forward.map(({ origin: _, ...rule }) => rule) ?? []);
  const modes = (content: DesiredContent | undefined) =>
    JSON.stringify(
      content?.policy.mesh
        .filter(({ node }) => node !== content.node)
        .map(({ address, port, mode }) => [address, port, mode]) ?? [],
    );
  if (!isNew && rules(before) === rules(after) && modes(before) === modes(after)) return [];
  return ["what it passes on for others (containers, routed networks) is not counted: UNKNOWN"];
}

function addressTexts(before: DesiredContent | undefined, after: DesiredContent | undefined): string[] {
  if (before === undefined || after === undefined || before.address === after.address) return [];
  return [`its address changes to ${after.address}: who calls ${before.address} by address is UNKNOWN`];
}
