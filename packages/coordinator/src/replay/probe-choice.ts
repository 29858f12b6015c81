// In: a mesh and what its nodes enforce, before and after a change. Out: the few flows between services that are worth a
// real connection: those that the change turns, both ways; if there are none, some that the mesh allows. Pure, and the
// same for any order of the file.

import type { MeshService } from "@weft/shared/model/mesh";
import { resolvePolicies } from "../compile/grants.ts";
import type { MeshState } from "../guard/risk.ts";
import { selectedRanges } from "../mesh/selection.ts";
import {
  type FlowEnd,
  flowEnds,
  flowsTo,
  portStarts,
  type ServiceFlow,
  servicesInOrder,
} from "./service-flows.ts";
import { type FlowVerdict, StateJudge } from "./state-judge.ts";

export const mostProbes = 10;
/** Pairs of instances whose verdicts are asked: judging is fast, and the coordinator does nothing else meanwhile. */
const mostCompared = 200_000;
const mostSampled = 50_000;
/** Pairs that are looked at, also those of which nothing is asked. */
const mostWalked = 2_000_000;

export interface ChosenFlow extends ServiceFlow {
  /** What the mesh means now. */
  readonly meant: "allowed" | "refused";
}

export interface ProbeChoice {
  /** turned: by the change. none-turned, and first (no mesh was before): flows that the mesh allows. */
  readonly basis: "turned" | "none-turned" | "first";
  readonly flows: readonly ChosenFlow[];
  /** More that would have been worth it. */
  readonly leftOut: number;
  /** Not every pair of instances was compared: they are too many. */
  readonly partly: boolean;
}

export function chooseProbes(before: MeshState | undefined, after: MeshState): ProbeChoice {
  const now = new StateJudge(after.contents);
  if (before === undefined) return { basis: "first", ...sampled(after, now) };
  const { turned, partly } = turnedFlows(before, after, now);
  if (turned.length === 0) {
    const sample = sampled(after, now);
    return { basis: "none-turned", ...sample, partly: partly || sample.partly };
  }
  const flows = ofBothKinds(turned);
  return { basis: "turned", flows, leftOut: turned.length - flows.length, partly };
}

interface TurnedFlow extends ChosenFlow {
  readonly was: FlowVerdict;
}

/** Of each pair of services, port and kind the first pair of instances. */
function turnedFlows(before: MeshState, after: MeshState, now: StateJudge) {
  const old = new StateJudge(before.contents);
  const services = servicesInOrder(after.mesh);
  const addresses = new Map(after.mesh.nodes.map(({ name, address }) => [name, address]));
  const starts = portStarts([before.mesh, after.mesh]);
  const ends = services.flatMap((service) => flowEnds(service, starts));
  // the very same content at both ends says the very same
  const changed = new Set(
    after.mesh.nodes.map(({ name }) => name).filter((node) => old.contentOf(node) !== now.contentOf(node)),
  );
  const still = new Set(
    services.filter(({ nodes }) => !nodes.some((node) => changed.has(node))).map(({ name }) => name),
  );
  const stillEnds = ends.filter(({ service }) => still.has(service.name)).length;
  const pairs = services.length * ends.length - still.size * stillEnds;
  const each = Math.max(1, Math.floor(mostCompared / Math.max(1, pairs)));
  const turned = new Map<string, TurnedFlow>();
  let [compared, walked, partly] = [0, 0, false];
  for (const from of services)
    for (const end of ends) {
      if (still.has(from.name) && still.has(end.service.name)) continue;
      let ofThese = 0;
      for (const flow of flowsTo(end, from, addresses)) {
        if (compared === mostCompared || walked === mostWalked)
          return { turned: [...turned.values()], partly: true };
        walked += 1;
        if (!changed.has(flow.fromNode) && !changed.has(flow.toNode)) continue;
        if (ofThese === each) {
          partly = true;
          break;
        }
        ofThese += 1;
        compared += 1;
        const was = old.verdict(flow);
        const is = now.verdict(flow);
        if (is === "unjudged" || is === was) continue;
        const key = JSON.stringify([flow.from, flow.to, flow.port, is]);
        if (!turned.has(key)) turned.set(key, { ...flow, meant: is, was });
      }
    }
  return { turned: [...turned.values()], partly };
}

/** Newly allowed ones first, half of either kind where there is enough; what was not declared before comes last. */
function ofBothKinds(turned: readonly TurnedFlow[]): ChosenFlow[] {
  const kind = (meant: ChosenFlow["meant"]) =>
    turned
      .filter((flow) => flow.meant === meant)
      .sort((a, b) => Number(a.was === "unjudged") - Number(b.was === "unjudged"))
      .map(({ was: _, ...flow }) => flow);
  const [allowed, refused] = [kind("allowed"), kind("refused")];
  const share = Math.min(refused.length, Math.max(mostProbes / 2, mostProbes - allowed.length));
  return [...allowed.slice(0, mostProbes - share), ...refused.slice(0, share)];
}

/** One for each policy that allows a TCP flow between services, in order of name. */
function sampled({ mesh }: MeshState, now: StateJudge): Pick<ProbeChoice, "flows" | "leftOut" | "partly"> {
  const services = servicesInOrder(mesh);
  const addresses = new Map(mesh.nodes.map(({ name, address }) => [name, address]));
  const starts = portStarts([mesh]);
  const chosen = new Map<string, ChosenFlow>();
  let asked = 0;
  const firstAllowed = (
    senders: readonly MeshService[],
    ends: readonly FlowEnd[],
  ): ChosenFlow | undefined => {
    for (const from of senders)
      for (const end of ends)
        for (const flow of flowsTo(end, from, addresses)) {
          if (asked === mostSampled) return undefined;
          asked += 1;
          if (!chosen.has(keyOf(flow)) && now.verdict(flow) === "allowed")
            return { ...flow, meant: "allowed" };
        }
    return undefined;
  };
  for (const { policy, services: senders, to } of resolvePolicies(mesh)) {
    if (asked === mostSampled) break;
    if (policy.action !== "allow") continue;
    const names = new Set(senders.map(({ name }) => name));
    const isSelected = ({ portName, port }: FlowEnd) =>
      selectedRanges(policy, { name: portName, range: { protocol: "tcp", from: port, to: port } }).length > 0;
    const ends = services
      .filter(({ name }) => to.has(name))
      .flatMap((service) => flowEnds(service, starts))
      .filter(isSelected);
    const flow = firstAllowed(
      services.filter(({ name }) => names.has(name)),
      ends,
    );
    if (flow !== undefined) chosen.set(keyOf(flow), flow);
  }
  const flows = [...chosen.values()];
  const leftOut = Math.max(0, flows.length - mostProbes);
  return { flows: flows.slice(0, mostProbes), leftOut, partly: asked === mostSampled };
}

function keyOf({ from, to, port }: ServiceFlow): string {
  return JSON.stringify([from, to, port]);
}
