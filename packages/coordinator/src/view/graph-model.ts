// In: observed flows and declared policy. Out: a graph of identities: what is used, what is declared and was not seen,
// what passes without a policy, what was refused. Pure.
import type { FlowEndView, ObservedView } from "./flow-model.ts";
import { portText } from "./render-flows.ts";

export type EdgeState = "used" | "unused" | "unspoken" | "refused";

export interface GraphEdge {
  readonly source: string;
  readonly destination: string;
  readonly port: string;
  readonly state: EdgeState;
  readonly count: number;
  /** That allows it, or refused it; empty: none. */
  readonly policy: string;
}

export const edgeWords: Record<EdgeState, string> = {
  used: "allowed and used",
  unused: "allowed, not seen",
  unspoken: "passes, no policy speaks of it",
  refused: "refused",
};

function vertexOf({ kind, name, node, address }: FlowEndView): string {
  if (kind === "service") return name;
  if (kind === "none") return address;
  return kind === "user" ? `${name}@${node}` : `node ${name}`;
}

export function graphEdges({ flows, declared }: ObservedView): GraphEdge[] {
  const edges = new Map<string, GraphEdge>();
  const keyOf = (source: string, destination: string, port: string) => `${source}|${destination}|${port}`;
  for (const item of declared) {
    if (item.action !== "allow") continue;
    const port = portText(item);
    edges.set(keyOf(item.source, item.destination, port), {
      source: item.source,
      destination: item.destination,
      port,
      state: "unused",
      count: 0,
      policy: item.policy,
    });
  }
  for (const flow of [...flows].reverse()) {
    const source = vertexOf(flow.source);
    const destination = vertexOf(flow.destination);
    const port = portText(flow);
    // what only audit lets pass was seen to pass, too
    if (flow.kind === "audited") continue;
    const refused = flow.kind === "denied";
    const byNode =
      flow.source.node === "" ? undefined : edges.get(keyOf(`node ${flow.source.node}`, destination, port));
    const key = refused ? `refused|${keyOf(source, destination, port)}` : keyOf(source, destination, port);
    const held = edges.get(key) ?? (refused ? undefined : byNode);
    const known = held !== undefined && held.policy !== "" && !refused;
    const policy = refused ? flow.decidedBy : (held?.policy ?? "");
    const state: EdgeState = refused ? "refused" : known ? "used" : "unspoken";
    if (known && held === byNode && byNode !== undefined)
      edges.set(keyOf(byNode.source, destination, port), {
        ...byNode,
        state,
        count: byNode.count + flow.count,
      });
    else edges.set(key, { source, destination, port, state, count: (held?.count ?? 0) + flow.count, policy });
  }
  return [...edges.values()].sort((a, b) => {
    const one = `${a.source}|${a.destination}|${a.port}|${a.state}`;
    const other = `${b.source}|${b.destination}|${b.port}|${b.state}`;
    return one < other ? -1 : one > other ? 1 : 0;
  });
}
