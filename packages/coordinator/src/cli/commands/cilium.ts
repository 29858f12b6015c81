// `weft cilium preview`: the policy files some nodes would have if they enforced with Cilium. Needs no coordinator, and starts
// and installs nothing. Exit 2 if something cannot be said in Cilium's terms; then there are no files.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Mesh } from "@weft/shared/model/mesh";
import { nearestName } from "@weft/shared/model/near";
import type { Command } from "commander";
import type { CiliumPreview, PreviewedNode } from "../../cilium/preview.ts";
import { printable } from "../../view/paint.ts";
import { renderJson } from "../../view/render-json.ts";
import { renderProblems } from "../../view/render-problems.ts";
import type { CliContext } from "../context.ts";
import { countText } from "../count-text.ts";
import { exitCodes } from "../exit-code.ts";
import { writePolicyFolders } from "../policy-folder.ts";

interface Options {
  readonly out?: string;
  readonly json?: true;
}

async function preview(
  context: CliContext,
  file: string,
  names: readonly string[],
  options: Options,
): Promise<void> {
  const { terminal } = context;
  const { mesh, problems: found } = await context.loadMesh(await context.readSources([file]));
  const { nodes, problems } = mesh === undefined ? { nodes: [], problems: [] } : await previewOf(mesh, names);
  const all = [...found, ...problems];
  const errors = all.filter(({ severity }) => severity === "error").length;
  if (errors > 0) context.setExitCode(exitCodes.usage);
  else if (options.out !== undefined) await writePolicyFolders(options.out, nodes);
  if (options.json) {
    terminal.out(renderJson({ valid: errors === 0, problems: all, nodes }));
    return;
  }
  for (const line of renderProblems(all, terminal.paint)) terminal.err(line);
  if (errors > 0) {
    terminal.err(`${countText(errors, "error")}; no file was made (WEFT-E100)`);
    return;
  }
  for (const node of nodes) for (const line of nodeLines(node, options.out)) terminal.out(line);
  terminal.out(
    "a preview: a node has these files when the mesh file says enforcement: cilium for it (docs/cilium.md)",
  );
}

async function previewOf(mesh: Mesh, names: readonly string[]): Promise<CiliumPreview> {
  const known = new Set(mesh.nodes.map(({ name }) => name));
  for (const name of names) {
    if (known.has(name)) continue;
    const near = nearestName(name, known);
    throw new WeftError("WEFT-E103", `the mesh has no node "${name}"`, {
      hint: near === undefined ? "name a node of the mesh file" : `did you mean ${near}?`,
    });
  }
  // only this command needs it
  const { previewCilium } = await import("../../cilium/preview.ts");
  return previewCilium(mesh, names);
}

function nodeLines({ node, services }: PreviewedNode, out: string | undefined): string[] {
  const head = `${node}: ${countText(services.length, "service")}`;
  const lines = services.flatMap(({ spiffeId, labels, file }) => {
    const title = out === undefined ? file.name : `${out}/${node}/${file.name}`;
    const said = [`  ${title}: ${spiffeId}`, ...labels.map((label) => `    ${label}`)];
    return out === undefined
      ? [
          ...said,
          ...file.text
            .trimEnd()
            .split("\n")
            .map((line) => `    ${line}`),
        ]
      : said;
  });
  return [head, ...lines].map(printable);
}

export function addCiliumCommands(program: Command, context: CliContext): void {
  const cilium = program
    .command("cilium")
    .description("policies as files of Cilium; nothing is installed or started");
  cilium
    .command("preview")
    .description(
      "show the policy files that nodes would have with Cilium; changes nothing and needs no coordinator",
    )
    .argument("<mesh>", "the mesh file, or a directory with its parts")
    .argument("<node...>", "nodes taken to enforce with Cilium; all others stay as they are")
    .option("--out <dir>", "write DIR/NODE/NAME.yaml instead of printing the files")
    .option("--json", "print files and problems as JSON")
    .action((file: string, names: string[], options: Options) => preview(context, file, names, options));
}
