// `weft node ban|unban`: shuts a node out of the mesh at once, whatever the mesh file and its guards say; or lets it in
// again. Exit 4: some kernels do not carry it yet, named.
import type { BanNodeResponse } from "@weft/shared/gen/weft/v1/guard";
import { parseNodeName } from "@weft/shared/model/ids";
import type { Command } from "commander";
import { durationText } from "../../view/duration-text.ts";
import { printable } from "../../view/paint.ts";
import { renderJson } from "../../view/render-json.ts";
import { parseAddresses, parseSeconds } from "../arguments.ts";
import type { CliContext } from "../context.ts";
import { exitCodes } from "../exit-code.ts";
import type { Terminal } from "../terminal.ts";
import { withControl } from "../with-control.ts";

interface Options {
  readonly reason?: string;
  readonly address?: readonly string[];
  readonly timeout: number;
  readonly json?: true;
}

function tell({ done, nodes, missing }: BanNodeResponse, terminal: Terminal): void {
  for (const sentence of done) terminal.out(printable(sentence));
  const carrying = nodes.filter(({ phase }) => phase === "enforced");
  const list = carrying.map(({ node, afterMs }) => `${node} (${durationText(afterMs)})`).join(", ");
  terminal.out(printable(list === "" ? "no kernel carries it yet" : `carried by the kernels of ${list}`));
  for (const { node, why } of missing) terminal.err(printable(`not carried by ${node}: ${why}`));
}

export function addBanCommands(node: Command, context: CliContext): void {
  const add = (verb: "ban" | "unban", description: string) => {
    const command = node
      .command(verb)
      .description(description)
      .argument("<name>")
      .option("--reason <text>", "why, for the audit")
      .option("--timeout <seconds>", "how long to wait for the kernels that are connected", parseSeconds, 30)
      .option("--json", "print what was done as JSON")
      .action(async (name: string, options: Options, command: Command) => {
        const request = {
          name: parseNodeName(name),
          reason: options.reason ?? "",
          claimedBy: context.claimedBy,
          timeoutSeconds: options.timeout,
          addresses: [...(options.address ?? [])],
        };
        const response = await withControl(context, command, (control) =>
          verb === "ban" ? control.banNode(request) : control.unbanNode(request),
        );
        if (options.json) context.terminal.out(renderJson({ node: request.name, ...response }));
        else tell(response, context.terminal);
        if (response.missing.length > 0) context.setExitCode(exitCodes.partly);
      });
    if (verb === "ban")
      command.option(
        "--address <address>",
        "another address of its machine; may be repeated",
        parseAddresses,
        [],
      );
  };
  add("ban", "shut a node out: nothing from it or to it, on any node, guards included");
  add("unban", "let a banned node in again, with the keys it has");
}
