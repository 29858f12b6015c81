// In: the mesh file and a connection. Out: the smallest change to the file that turns its verdict, as a unified diff,
// tried out with the real parser and compiler before it is offered. Pure.
import { covers } from "@weft/shared/model/address";
import type { DesiredContent } from "@weft/shared/model/desired";
import type { Mesh, MeshPolicy } from "@weft/shared/model/mesh";
import { unifiedDiff } from "@weft/shared/render/text-diff";
import { selectedRanges, selectedServices } from "../mesh/selection.ts";
import type { SourceText } from "../store/records.ts";
import { type Identity, targetOn } from "./identify.ts";
import { withoutPolicy, withoutSelector, withPolicy } from "./mesh-edit.ts";
import { type Connection, permits } from "./permits.ts";
import { baselineLine, policyLine } from "./policy-line.ts";

export interface FlipWish {
  readonly sources: readonly SourceText[];
  readonly mesh: Mesh;
  readonly from: Identity;
  readonly to: Identity;
  readonly connection: Connection;
  /** What it is to become. */
  readonly allow: boolean;
  /** undefined: the file does not load. */
  readonly tryOut: (
    sources: readonly SourceText[],
  ) => { readonly mesh: Mesh; readonly compiled: ReadonlyMap<string, DesiredContent> } | undefined;
}

export interface Flip {
  /** Empty: there is none. */
  readonly patch: string;
  readonly note: string;
}

export function flipOf(wish: FlipWish): Flip {
  const { connection, allow } = wish;
  const isPing = connection.protocol === "icmp";
  if (connection.toNode !== undefined && portOf(wish) === undefined && !isPing)
    return { patch: "", note: undeclaredNote(wish) };
  for (const { sources, note } of candidates(wish)) {
    const tried = wish.tryOut(sources);
    if (tried === undefined || permits(tried.compiled, connection).allowed !== allow) continue;
    return { patch: diffOf(wish.sources, sources), note };
  }
  return { patch: "", note: "no single policy, added or taken away, turns this verdict" };
}

/** No policy speaks of a port that nobody declares. */
function undeclaredNote(wish: FlipWish): string {
  const line = baselineLine({
    source: wish.from,
    destination: wish.to,
    protocol: wish.connection.protocol,
    port: wish.connection.port,
    portName: "",
    action: "allow",
    names: new Set(),
  });
  const said = "no service declares this port on that node, so no policy speaks of it";
  if (!wish.allow || line === undefined || wish.mesh.baseline === undefined)
    return `${said}: declare it to judge it`;
  return `${said}: declare it, or allow it under baseline: ${line}`;
}

function diffOf(before: readonly SourceText[], after: readonly SourceText[]): string {
  return before
    .map(({ name, text }, index) => {
      const changed = after[index]?.text ?? text;
      return text === changed ? "" : unifiedDiff(text, changed, { before: name, after: name });
    })
    .join("");
}

interface Candidate {
  readonly sources: readonly SourceText[];
  readonly note: string;
}

function* candidates(wish: FlipWish): Generator<Candidate> {
  const { sources, allow } = wish;
  const added = adding(wish, sources, allow);
  if (allow && added !== undefined) yield { sources: added, note: `allows ${extentOf(wish)}` };
  // taking away what says the contrary: for a refusal the policies that allow, for an allowance those that deny
  const contrary = speaking(wish).filter(({ action }) => action === (allow ? "deny" : "allow"));
  let without: readonly SourceText[] | undefined = sources;
  for (const policy of contrary) {
    without = without === undefined ? undefined : takingOut(wish, without, policy);
    if (without === undefined) break;
    const named = contrary.slice(0, contrary.indexOf(policy) + 1).map(({ name }) => name);
    const note = `takes the sender out of ${named.join(", ")}`;
    if (allow || contrary.every((each) => isExact(wish, each))) yield { sources: without, note };
    const both = allow ? adding(wish, without, true) : undefined;
    if (both !== undefined) yield { sources: both, note: `${note}, and allows ${extentOf(wish)}` };
  }
  if (!allow && added !== undefined) yield { sources: added, note: `refuses ${extentOf(wish)}` };
}

function extentOf({ from }: FlipWish): string {
  if (from.kind === "service") return `this for every instance of ${from.name}, and nothing else`;
  if (from.kind === "none") return "exactly this and nothing else";
  const who = from.kind === "user" ? ` (to name ${from.name} alone, declare a service for it)` : "";
  return `this for any process of ${from.node}${who}`;
}

function portOf({ mesh, connection }: FlipWish): ReturnType<typeof targetOn> {
  const { toNode, protocol, port } = connection;
  return toNode === undefined ? undefined : targetOn(mesh, toNode, protocol, port);
}

function adding(
  wish: FlipWish,
  sources: readonly SourceText[],
  allow: boolean,
): readonly SourceText[] | undefined {
  const { mesh, from, connection } = wish;
  const target = portOf(wish);
  const to: Identity =
    target === undefined ? wish.to : { ...wish.to, kind: "service", name: target.service.name };
  const line = policyLine({
    source: from,
    destination: to,
    protocol: connection.protocol,
    port: connection.port,
    portName: target?.port.name ?? "",
    action: allow ? "allow" : "deny",
    names: new Set(mesh.policies.map(({ name }) => name)),
  });
  if (line === undefined) return undefined;
  const home = Math.max(
    0,
    sources.findIndex(({ text }) => /^policies\s*:/m.test(text)),
  );
  const text = withPolicy(sources[home]?.text ?? "", line);
  return text === undefined ? undefined : replaced(sources, home, text);
}

function replaced(sources: readonly SourceText[], index: number, text: string): SourceText[] {
  return sources.map((source, each) => (each === index ? { ...source, text } : source));
}

/** Which selectors of a policy's `from` are about the sender. */
function selectorsFor({ mesh, from, connection }: FlipWish, policy: MeshPolicy): number[] {
  return policy.from.flatMap((selector, index) => {
    const isAbout =
      selector.kind === "cidr"
        ? covers(selector.cidr, connection.source)
        : selector.kind === "node"
          ? selector.name === from.node
          : from.kind === "service" &&
            selectedServices(mesh, selector).some(({ name }) => name === from.name);
    return isAbout ? [index] : [];
  });
}

/** Policies about this sender, this service and this port. */
function speaking(wish: FlipWish): MeshPolicy[] {
  const target = portOf(wish);
  if (target === undefined) return [];
  return wish.mesh.policies.filter((policy) => {
    const isTo = policy.to.some((selector) =>
      selectedServices(wish.mesh, selector).some(({ name }) => name === target.service.name),
    );
    return isTo && selectedRanges(policy, target.port).length > 0 && selectorsFor(wish, policy).length > 0;
  });
}

/** It speaks of this service and port alone. */
function isExact(wish: FlipWish, policy: MeshPolicy): boolean {
  const target = portOf(wish);
  if (target === undefined) return false;
  const services = policy.to.flatMap((selector) => selectedServices(wish.mesh, selector));
  const ports = target.service.ports.filter((port) => selectedRanges(policy, port).length > 0);
  const selectors = selectorsFor(wish, policy).map((index) => policy.from[index]?.kind);
  return services.length === 1 && ports.length === 1 && !selectors.includes("labels");
}

function takingOut(
  wish: FlipWish,
  sources: readonly SourceText[],
  policy: MeshPolicy,
): readonly SourceText[] | undefined {
  const home = sources.findIndex(({ name }) => name === policy.place.file);
  let text = sources[home]?.text;
  const selectors = selectorsFor(wish, policy);
  if (text === undefined) return undefined;
  if (selectors.length === policy.from.length) text = withoutPolicy(text, policy.name);
  else
    for (const index of [...selectors].reverse())
      text = text === undefined ? undefined : withoutSelector(text, policy.name, index);
  return text === undefined ? undefined : replaced(sources, home, text);
}
