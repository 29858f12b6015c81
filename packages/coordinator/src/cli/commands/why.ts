// `weft why FROM TO [PORT]`: would that connection pass, and who says so: asked of the kernels on its way, now.
import type { Command } from "commander";
import { renderJson } from "../../view/render-json.ts";
import { hasDisagreement, renderWhy, whyJson } from "../../view/render-why.ts";
import type { CliContext } from "../context.ts";
import { exitCodes } from "../exit-code.ts";
import { withControl } from "../with-control.ts";

interface Options {
  readonly via?: string;
  readonly prove?: true;
  readonly trace?: true;
  readonly json?: true;
}

export function addWhyCommand(program: Command, context: CliContext): void {
  const { terminal } = context;
  program
    .command("why")
    .description(
      "say whether a connection passes, by the rules loaded in the kernels now, and what would turn it",
    )
    .argument("<from>", "a service, a node, USER@NODE or an address")
    .argument("<to>", "a service, a node or an address")
    .argument("[port]", "8080, 8080/udp or a port's name; default: the ports of the service")
    .option("--via <node>", "the node that forwards for a source behind it (a container)")
    .option("--prove", "have the sender's node make one real connection, and say what became of it")
    .option("--trace", "show the rules that decided")
    .option("--json", "print it as JSON (docs/why.md)")
    .action(
      async (from: string, to: string, port: string | undefined, options: Options, command: Command) => {
        const why = await withControl(context, command, (control) =>
          control.why({
            from,
            to,
            port: port ?? "",
            via: options.via ?? "",
            prove: options.prove === true,
          }),
        );
        if (options.json === true) terminal.out(renderJson(whyJson(why)));
        else for (const line of renderWhy(why, terminal.paint, options.trace === true)) terminal.out(line);
        if (hasDisagreement(why)) context.setExitCode(exitCodes.failed);
      },
    );
}
