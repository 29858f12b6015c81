// `weft node add|list|show|remove|ban|unban`: the machines of the mesh. Which ones there are is said in the mesh file; here they
// are given a token, looked at, and ended.
import type { AddNodeResponse } from "@weft/shared/gen/weft/v1/control";
import { parseNodeName } from "@weft/shared/model/ids";
import type { Command } from "commander";
import { instantText } from "../../view/duration-text.ts";
import { printable } from "../../view/paint.ts";
import { fleetJson, nodeJson, renderJson } from "../../view/render-json.ts";
import { renderNodeDetails } from "../../view/render-node.ts";
import { renderStatus } from "../../view/render-status.ts";
import { statusModel } from "../../view/status-model.ts";
import { parseFrom, parseTtl } from "../arguments.ts";
import type { CliContext } from "../context.ts";
import type { Terminal } from "../terminal.ts";
import { withControl } from "../with-control.ts";
import { addBanCommands } from "./node-ban.ts";
import { snapshot } from "./status.ts";

interface AddOptions {
  readonly ttl: number;
  readonly from: "declared" | "any";
  readonly tokenFile?: string;
  readonly json?: true;
}

function joinLine(added: AddNodeResponse): string {
  return `weft-node-agent join ${added.coordinatorAddress} --pin ${added.pin}`;
}

function tellInvitation(
  terminal: Terminal,
  name: string,
  added: AddNodeResponse,
  tokenFile: string | undefined,
): void {
  terminal.out(`on ${name}, run:`);
  terminal.out("");
  terminal.out(`  sudo ${joinLine(added)}`);
  terminal.out("");
  const terms = `good once, for ${name} only, until ${instantText(added.expires)} UTC`;
  if (tokenFile !== undefined) {
    terminal.out(`the token it asks for is in ${tokenFile} (${terms})`);
    return;
  }
  terminal.out(`and give it this token when it asks (${terms}):`);
  terminal.out("");
  terminal.out(`  ${added.token}`);
}

async function addNode(
  context: CliContext,
  name: string,
  options: AddOptions,
  command: Command,
): Promise<void> {
  const node = parseNodeName(name);
  const added = await withControl(context, command, (control) =>
    control.addNode({ name: node, ttlSeconds: options.ttl, fromAny: options.from === "any" }),
  );
  if (options.tokenFile !== undefined) await context.writeSecret(options.tokenFile, `${added.token}\n`);
  if (!options.json) {
    tellInvitation(context.terminal, node, added, options.tokenFile);
    return;
  }
  const { token, ...rest } = added;
  const data = { node, ...rest, joinCommand: joinLine(added) };
  const secret = options.tokenFile === undefined ? { token } : { tokenFile: options.tokenFile };
  context.terminal.out(renderJson({ ...data, ...secret }));
}

async function showNode(context: CliContext, name: string, json: boolean, command: Command): Promise<void> {
  const shown = await withControl(context, command, (control) => control.showNode(parseNodeName(name)));
  const { terminal } = context;
  if (json) {
    const { joined, enrolmentKeySha256, services } = shown;
    const more = { joined: joined ?? null, enrolmentKeySha256: enrolmentKeySha256 || null, services };
    terminal.out(renderJson({ ...nodeJson(shown.status), ...more }));
    return;
  }
  for (const line of renderNodeDetails(shown.status, context.now(), terminal.paint)) terminal.out(line);
  terminal.out(`joined         ${instantText(shown.joined)}`);
  terminal.out(`enrolment key  ${shown.enrolmentKeySha256 || "-"}`);
  terminal.out(`services       ${shown.services.join(", ") || "-"}`);
}

export function addNodeCommands(program: Command, context: CliContext): void {
  const { terminal } = context;
  const node = program.command("node").description("invite, look at and end the machines of the mesh");
  node
    .command("add")
    .description("make a one-time token for a node that the mesh file names")
    .argument("<name>")
    .option("--ttl <time>", "how long the token is good: 90s, 15m, 2h", parseTtl, 15 * 60)
    .option(
      "--from <where>",
      "from where it may be used: declared (the address in the mesh file) or any",
      parseFrom,
      "declared",
    )
    .option("--token-file <file>", "write the token there (0600) instead of showing it")
    .option("--json", "print it as JSON")
    .action((name: string, options: AddOptions, command: Command) =>
      addNode(context, name, options, command),
    );
  node
    .command("list")
    .description("list the nodes of the mesh")
    .option("--json", "print them as JSON, as `weft status --json` does")
    .action(async (options: { json?: true }, command: Command) => {
      const fleet = await withControl(context, command, (control) => snapshot(control, context.signal));
      if (options.json) terminal.out(renderJson({ nodes: fleetJson(fleet).nodes }));
      else {
        const model = { ...statusModel(fleet), rollout: undefined, remarks: [] };
        for (const line of renderStatus(model, terminal.width(), terminal.paint).slice(2)) terminal.out(line);
      }
    });
  node
    .command("show")
    .description("show all that is known of a node")
    .argument("<name>")
    .option("--json", "print it as JSON")
    .action((name: string, options: { json?: true }, command: Command) =>
      showNode(context, name, options.json === true, command),
    );
  node
    .command("remove")
    .description("end a node's membership; the mesh file must not name it any more")
    .argument("<name>")
    .option("--json", "print what was ended as JSON")
    .action(async (name: string, options: { json?: true }, command: Command) => {
      const { done } = await withControl(context, command, (control) =>
        control.removeNode(parseNodeName(name)),
      );
      if (options.json) terminal.out(renderJson({ node: name, done }));
      else for (const sentence of done) terminal.out(printable(sentence));
    });
  addBanCommands(node, context);
}
