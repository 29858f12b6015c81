// In: the edges of the flow graph. Out: them as lines for a terminal, Mermaid, DOT or SVG. Pure.
import { byText } from "@weft/shared/plan/text-order";
import { type EdgeState, edgeWords, type GraphEdge } from "./graph-model.ts";
import { type Paint, printable, type Tone } from "./paint.ts";

export const graphFormats = ["terminal", "mermaid", "dot", "svg"] as const;
export type GraphFormat = (typeof graphFormats)[number];

const arrows: Record<EdgeState, string> = { used: "-->", unused: "-.->", unspoken: "==>", refused: "--x" };
const tones: Record<EdgeState, Tone> = {
  used: "good",
  unused: "quiet",
  unspoken: "doubtful",
  refused: "bad",
};
const colours: Record<EdgeState, string> = {
  used: "#1a7f37",
  unused: "#8c959f",
  unspoken: "#9a6700",
  refused: "#cf222e",
};

function labelOf({ port, count }: GraphEdge): string {
  return count === 0 ? port : `${port} x${count}`;
}

function vertices(edges: readonly GraphEdge[]): string[] {
  return [...new Set(edges.flatMap(({ source, destination }) => [source, destination]))].sort(byText);
}

export function renderGraph(edges: readonly GraphEdge[], format: GraphFormat, paint: Paint): string[] {
  switch (format) {
    case "terminal":
      return terminal(edges, paint);
    case "mermaid":
      return mermaid(edges);
    case "dot":
      return dot(edges);
    case "svg":
      return svg(edges);
  }
}

function terminal(edges: readonly GraphEdge[], paint: Paint): string[] {
  if (edges.length === 0) return ["no flows were seen, and no policy allows any"];
  const lines: string[] = [];
  let last = "";
  for (const edge of edges) {
    if (edge.source !== last) lines.push(printable(edge.source));
    last = edge.source;
    const by = edge.policy === "" ? "" : ` (${edge.policy})`;
    const words = paint(tones[edge.state], edgeWords[edge.state]);
    lines.push(
      `  ${arrows[edge.state]} ${printable(`${edge.destination}  ${labelOf(edge)}`)}  ${words}${by}`,
    );
  }
  return lines;
}

function quoted(text: string): string {
  return `"${printable(text).replaceAll("\\", "\\\\").replaceAll('"', "'")}"`;
}

function mermaid(edges: readonly GraphEdge[]): string[] {
  const names = vertices(edges);
  const id = (name: string) => `n${names.indexOf(name)}`;
  return [
    "flowchart LR",
    ...names.map((name) => `  ${id(name)}[${quoted(name)}]`),
    ...edges.map((edge) => {
      const arrow = edge.state === "refused" ? "--x" : edge.state === "unused" ? "-.->" : "-->";
      return `  ${id(edge.source)} ${arrow}|${quoted(labelOf(edge))}| ${id(edge.destination)}`;
    }),
  ];
}

function dot(edges: readonly GraphEdge[]): string[] {
  return [
    "digraph weft {",
    "  rankdir=LR; node [shape=box];",
    ...vertices(edges).map((name) => `  ${quoted(name)};`),
    ...edges.map((edge) => {
      const style = edge.state === "unused" ? "dashed" : "solid";
      const head = edge.state === "refused" ? "tee" : "normal";
      const look = `label=${quoted(labelOf(edge))}, color=${quoted(colours[edge.state])}, style=${style}`;
      return `  ${quoted(edge.source)} -> ${quoted(edge.destination)} [${look}, arrowhead=${head}];`;
    }),
    "}",
  ];
}

function xml(text: string): string {
  return printable(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

const row = 56;
const box = { width: 190, height: 32 } as const;
const right = 560;

/** Two columns: who asks, and who is asked; an identity that does both stands in both. */
function svg(edges: readonly GraphEdge[]): string[] {
  const sources = [...new Set(edges.map(({ source }) => source))].sort(byText);
  const targets = [...new Set(edges.map(({ destination }) => destination))].sort(byText);
  const height = Math.max(sources.length, targets.length, 1) * row + 40;
  const top = (index: number) => 20 + index * row;
  const boxes = (names: readonly string[], x: number) =>
    names.flatMap((name, index) => [
      `<rect x="${x}" y="${top(index)}" width="${box.width}" height="${box.height}" rx="6" fill="#f6f8fa" stroke="#57606a"/>`,
      `<text x="${x + 10}" y="${top(index) + 21}">${xml(name.slice(0, 26))}</text>`,
    ]);
  const middle = box.height / 2;
  const lines = edges.flatMap((edge, index) => {
    const y1 = top(sources.indexOf(edge.source)) + middle;
    const y2 = top(targets.indexOf(edge.destination)) + middle;
    const dash = edge.state === "unused" ? ' stroke-dasharray="5 4"' : "";
    const x1 = 20 + box.width;
    const at = 0.35 + (index % 3) * 0.15;
    const title = `${edge.source} to ${edge.destination}: ${edgeWords[edge.state]}`;
    return [
      `<line x1="${x1}" y1="${y1}" x2="${right - 6}" y2="${y2}" stroke="${colours[edge.state]}" stroke-width="2"${dash} marker-end="url(#${edge.state})"><title>${xml(title)}</title></line>`,
      `<text x="${Math.round(x1 + (right - x1) * at)}" y="${Math.round(y1 + (y2 - y1) * at) - 4}" fill="${colours[edge.state]}">${xml(labelOf(edge))}</text>`,
    ];
  });
  const markers = Object.entries(colours).map(
    ([state, colour]) =>
      `<marker id="${state}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8z" fill="${colour}"/></marker>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${right + box.width + 20}" height="${height}" font-family="sans-serif" font-size="13">`,
    `<defs>${markers.join("")}</defs>`,
    ...lines,
    ...boxes(sources, 20),
    ...boxes(targets, right),
    "</svg>",
  ];
}
