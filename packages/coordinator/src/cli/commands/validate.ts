// `weft validate`, `weft schema`: every problem of a mesh file at once, without a coordinator. Exit 2 if there are errors.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Command } from "commander";
import { withoutOwnEtcd } from "../../mesh/own-etcd.ts";
import { renderJson } from "../../view/render-json.ts";
import { renderProblems } from "../../view/render-problems.ts";
import type { CliContext } from "../context.ts";
import { countText } from "../count-text.ts";
import { exitCodes } from "../exit-code.ts";

interface Options {
  readonly schema?: true;
  readonly json?: true;
}

async function validate(context: CliContext, files: readonly string[], options: Options): Promise<void> {
  const { terminal } = context;
  if (options.schema) {
    terminal.out(renderJson(await context.meshJsonSchema()));
    return;
  }
  if (files.length === 0)
    throw new WeftError("WEFT-E001", "no mesh file was named", { hint: "run `weft validate mesh.yaml`" });
  const { mesh, problems } = await context.loadMesh(await context.readSources(files));
  const errors = problems.filter(({ severity }) => severity === "error").length;
  if (errors > 0 || mesh === undefined) context.setExitCode(exitCodes.usage);
  if (options.json) {
    terminal.out(renderJson({ valid: mesh !== undefined, problems }));
    return;
  }
  for (const line of renderProblems(problems, terminal.paint)) terminal.err(line);
  if (mesh === undefined) {
    terminal.err(`${countText(errors, "error")}; nothing was changed (WEFT-E100)`);
    return;
  }
  const { services, policies } = withoutOwnEtcd(mesh);
  terminal.out(
    `valid: mesh ${mesh.name} with ${countText(mesh.nodes.length, "node")}, ` +
      `${countText(services.length, "service")}, ${countText(policies.length, "policy", "policies")}`,
  );
  terminal.out(`next: weft plan ${files.join(" ")}`);
}

export function addValidateCommands(program: Command, context: CliContext): void {
  program
    .command("validate")
    .description("check a mesh file; changes nothing and needs no coordinator")
    .argument("[file...]", "the mesh file, or a directory with its parts")
    .option("--schema", "print the JSON Schema of the mesh file instead")
    .option("--json", "print the problems as JSON")
    .action((files: string[], options: Options) => validate(context, files, options));
  program
    .command("schema")
    .description("print the JSON Schema of the mesh file, for editors")
    .action(() => validate(context, [], { schema: true }));
}
