// In: what kernels have counted, by identity. Out: lines and JSON of `weft flows` and `weft denials`. Pure.
import { durationText } from "./duration-text.ts";
import type { FlowEndView, FlowView, ObservedView } from "./flow-model.ts";
import { banName, forgedName } from "./flow-model.ts";
import { type Paint, printable } from "./paint.ts";
import { renderTable, type TableColumn } from "./render-table.ts";

export function endText({ kind, name, node, address }: FlowEndView): string {
  if (kind === "none") return `no identity, ${address}`;
  if (kind === "node") return `node ${name}`;
  return kind === "user" ? `user ${name} on ${node}` : `${name} on ${node}`;
}

export function portText({
  port,
  protocol,
  portName,
}: Pick<FlowView, "port" | "protocol" | "portName">): string {
  if (protocol === "icmp") return "ping";
  return portName === "" ? `${port}/${protocol}` : `${portName} ${port}/${protocol}`;
}

/** Of the other end: an address outside is no identity to speak of, but the place. */
function targetText(end: FlowEndView): string {
  return end.kind === "none" ? end.address : endText(end);
}

export function decisionText({ kind, decidedBy, file, line }: FlowView): string {
  const by = line === 0 ? decidedBy : `${decidedBy} (${file}:${line})`;
  return kind === "audited" ? `audit only: ${by}` : by;
}

/** What to do about a refusal. */
function remedy(flow: FlowView): string {
  if (flow.wouldAllow !== "") return flow.wouldAllow;
  if (flow.decidedBy === banName) return "weft node unban";
  if (flow.decidedBy === forgedName) return "-";
  if (flow.decidedBy !== "default") return `take the source out of policy ${flow.decidedBy}`;
  return "-";
}

function columnsOf(at: Date, isDenials: boolean): readonly TableColumn<FlowView>[] {
  const common: readonly TableColumn<FlowView>[] = [
    { title: "SOURCE", cell: (flow) => ({ text: printable(endText(flow.source)) }), expendable: 0 },
    {
      title: "DESTINATION",
      cell: (flow) => ({ text: printable(targetText(flow.destination)) }),
      expendable: 0,
    },
    { title: "PORT", cell: (flow) => ({ text: portText(flow) }), expendable: 0 },
    { title: "COUNT", cell: (flow) => ({ text: String(flow.count) }), expendable: 0 },
    {
      title: "LAST",
      cell: ({ lastSeen }) => ({ text: `${durationText(at.getTime() - lastSeen.getTime())} ago` }),
      expendable: 0,
    },
  ];
  if (!isDenials)
    return [
      ...common,
      { title: "WITNESS", cell: ({ witness }) => ({ text: printable(witness) }), expendable: 1 },
    ];
  return [
    ...common,
    { title: "REFUSED BY", cell: (flow) => ({ text: printable(decisionText(flow)) }), expendable: 0 },
    { title: "WOULD ALLOW", cell: (flow) => ({ text: printable(remedy(flow)) }), expendable: 1, cut: true },
  ];
}

export function flowsOf({ flows }: ObservedView, isDenials: boolean): readonly FlowView[] {
  return flows.filter(({ kind }) => (kind === "allowed") !== isDenials);
}

export function renderFlows(
  observed: ObservedView,
  isDenials: boolean,
  width: number | undefined,
  paint: Paint,
): string[] {
  const flows = flowsOf(observed, isDenials);
  const none = isDenials ? "nothing was refused in the last hour" : "no flows were seen";
  return [
    ...(flows.length === 0 ? [none] : renderTable(columnsOf(observed.at, isDenials), flows, width, paint)),
    ...observed.unknown.map((sentence) => paint("doubtful", printable(sentence))),
  ];
}

function endJson({ kind, name, node, address, spiffeId }: FlowEndView) {
  const none = (text: string): string | null => (text === "" ? null : text);
  return { kind, name: none(name), node: none(node), address, spiffeId: none(spiffeId) };
}

/** The shape of docs/why.md. */
export function flowJson(flow: FlowView) {
  const refused = flow.kind !== "allowed";
  return {
    kind: flow.kind,
    source: endJson(flow.source),
    destination: endJson(flow.destination),
    protocol: flow.protocol,
    port: flow.port,
    portName: flow.portName === "" ? null : flow.portName,
    count: flow.count,
    lastSeen: flow.lastSeen.toISOString(),
    witness: flow.witness,
    ...(refused
      ? {
          refusedBy: flow.decidedBy,
          file: flow.file === "" ? null : flow.file,
          line: flow.line === 0 ? null : flow.line,
          wouldAllow: flow.wouldAllow === "" ? null : flow.wouldAllow,
        }
      : {}),
  };
}

export function flowsJson(observed: ObservedView, isDenials: boolean) {
  return {
    at: observed.at.toISOString(),
    flows: flowsOf(observed, isDenials).map(flowJson),
    unknown: observed.unknown,
  };
}

/** One refusal as it happens. */
export function denialLine(flow: FlowView): string {
  const time = flow.lastSeen.toISOString().slice(11, 19);
  const head = `${time} ${endText(flow.source)} -> ${targetText(flow.destination)} ${portText(flow)}`;
  return printable(`${head} refused ${flow.count} times by ${decisionText(flow)}; ${remedy(flow)}`);
}

/** Of what is audited there is one for each policy on trial. */
export function flowKey({ kind, source, destination, protocol, port, node, decidedBy }: FlowView): string {
  return [
    kind,
    endText(source),
    source.address,
    endText(destination),
    destination.address,
    protocol,
    port,
    node,
    kind === "audited" || decidedBy === forgedName ? decidedBy : "",
  ].join("|");
}
