// In: remembered flows whose verdict a change would turn, and what the memory cannot tell. Out: lines for people, and
// the JSON of `weft plan --json`. Pure.
import { durationText, instantText } from "./duration-text.ts";
import type { FlipView, FlowEndView, ReplayView } from "./flow-model.ts";
import { type Paint, printable } from "./paint.ts";
import { endText } from "./render-flows.ts";

function targetText({ destination, port, protocol, portName }: FlipView): string {
  const number =
    protocol === "icmp" ? "ping" : `${port}/${protocol}${portName === "" ? "" : ` (${portName})`}`;
  if (destination.kind === "service") return `${destination.name}:${number} on ${destination.node}`;
  return `${destination.kind === "node" ? `node ${destination.name}` : destination.address}:${number}`;
}

function witnessText({ witnesses, claim, source, destination }: FlipView): string {
  const who =
    witnesses.length > 1 ? `kernels of ${witnesses.join(" and ")}` : `kernel of ${witnesses.join("")}`;
  if (!claim) return `seen by ${who}`;
  const silent = [source, destination].map(({ node }) => node).find((node) => !witnesses.includes(node));
  return `claimed by the ${who} alone${silent === undefined ? "" : `, that of ${silent} does not say so`}`;
}

function reasonText({ decidedBy, file, line, becomes, at }: FlipView): string {
  const where = at === "" ? "" : ` on ${at}`;
  if (decidedBy === "default") return `by default (no policy)${where}`;
  if (decidedBy === "baseline") return `by the baseline (${file}:${line})${where}`;
  if (decidedBy === "guard") return `by a guard${where}`;
  if (decidedBy === "") return becomes === "allowed" ? "because nothing judges it any more" : where.trim();
  return `by policy ${decidedBy} (${file}:${line})${where}`;
}

/** @param now undefined: the time itself is said */
export function flipText(flip: FlipView, now: Date | undefined): string {
  const age =
    now === undefined
      ? `last used ${instantText(flip.lastUsed)}`
      : `last used ${durationText(now.getTime() - flip.lastUsed.getTime())} ago`;
  const word = flip.becomes === "refused" ? "REFUSED" : "ALLOWED";
  const guard = flip.guard ? "; a guard flow" : "";
  return (
    `${endText(flip.source)} -> ${targetText(flip)} (${age}, ${witnessText(flip)}) ` +
    `would be ${word} ${reasonText(flip)}${guard}`
  );
}

const mostShown = 50;
const mostNodes = 5;

/** Of nothing more than what the memories hold. */
function noneText({ unknown, since, youngest }: ReplayView, now: Date | undefined): string {
  if (since === undefined)
    return unknown.length === 0
      ? "no node that remembers flows gets other rules"
      : "nothing is remembered of the flows this concerns: whether any would turn is UNKNOWN";
  const span =
    youngest === ""
      ? "in the last 7 days"
      : `${sinceText(since, now)} (the memory of ${youngest} goes back no further)`;
  const none = `of the flows that kernels saw opened ${span} none would be refused or newly allowed`;
  return unknown.length === 0 ? none : `${none}; of what is UNKNOWN some may`;
}

function beganText(since: Date, now: Date | undefined): string {
  return now === undefined ? instantText(since) : `${durationText(now.getTime() - since.getTime())} ago`;
}

function sinceText(since: Date, now: Date | undefined): string {
  if (now === undefined) return `since ${instantText(since)}`;
  return `in the last ${durationText(now.getTime() - since.getTime())}`;
}

/** @param now undefined: times themselves are said */
export function renderReplay(replay: ReplayView, now: Date | undefined, paint: Paint): string[] {
  const { flips, unknown } = replay;
  const lines = flips.slice(0, mostShown).map((flip) => {
    const mark = flip.becomes === "refused" ? paint("bad", "-") : paint("good", "+");
    return `  ${mark} ${printable(flipText(flip, now))}`;
  });
  if (flips.length > mostShown) lines.push(`  and ${flips.length - mostShown} more (--json lists all)`);
  const byText = new Map<string, string[]>();
  for (const { node, text, since } of unknown) {
    const name = since === undefined ? node : `${node} (began ${beganText(since, now)})`;
    byText.set(text, [...(byText.get(text) ?? []), name]);
  }
  const losses = flips.filter(({ becomes }) => becomes === "refused").length;
  const head =
    flips.length === 0
      ? []
      : [`flows of the last days: ${losses} would be refused, ${flips.length - losses} newly allowed`];
  return [
    ...head,
    ...lines,
    ...[...byText].map(([text, nodes]) => {
      const more = nodes.length > mostNodes ? ` and ${nodes.length - mostNodes} more` : "";
      return paint("doubtful", printable(`UNKNOWN ${nodes.slice(0, mostNodes).join(", ")}${more}: ${text}`));
    }),
    ...(flips.length === 0 ? [printable(noneText(replay, now))] : []),
  ];
}

function endJson({ kind, name, node, address, spiffeId }: FlowEndView) {
  const none = (text: string): string | null => (text === "" ? null : text);
  return { kind, name: none(name), node: none(node), address, spiffeId: none(spiffeId) };
}

/** The shape of docs/plan.md. */
export function replayJson({ flips, unknown, since, youngest }: ReplayView) {
  return {
    flips: flips.map(flipJson),
    unknown: unknown.map((span) => ({
      node: span.node,
      text: span.text,
      source: span.source === "" ? null : span.source,
      since: span.since?.toISOString() ?? null,
    })),
    since: since?.toISOString() ?? null,
    youngest: youngest === "" ? null : youngest,
  };
}

function flipJson(flip: FlipView) {
  return {
    becomes: flip.becomes,
    source: endJson(flip.source),
    destination: endJson(flip.destination),
    protocol: flip.protocol,
    port: flip.port,
    portName: flip.portName === "" ? null : flip.portName,
    lastUsed: flip.lastUsed.toISOString(),
    witnesses: flip.witnesses,
    claim: flip.claim,
    decidedBy: flip.decidedBy === "" ? null : flip.decidedBy,
    file: flip.file === "" ? null : flip.file,
    line: flip.line === 0 ? null : flip.line,
    at: flip.at === "" ? null : flip.at,
    guard: flip.guard,
  };
}
