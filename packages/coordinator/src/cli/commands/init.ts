// `weft init`: makes this machine the hub of a new mesh, or goes on with one that was begun.
import type { Command } from "commander";
import { type InitOptions, parseInitWish } from "../../setup/init-wish.ts";
import { initialise } from "../../setup/initialise.ts";
import type { CliContext } from "../context.ts";
import { usualSocket } from "../with-control.ts";

export function addInitCommand(program: Command, context: CliContext): void {
  program
    .command("init")
    .description("make this machine the hub of a new mesh; safe to run again")
    .requiredOption("--name <mesh>", "name of the mesh")
    .requiredOption("--address <ip>", "this machine's address, as the other machines reach it")
    .option("--node <name>", "name of this machine in the mesh", "hub")
    .option("--trust-domain <name>", "trust domain and DNS zone", "mesh.internal")
    .option("--passphrase-file <file>", "read the mesh root's passphrase there instead of asking for it")
    .option("--no-agent", "do not join this machine as a node")
    .action((options: InitOptions, command: Command) => {
      const { socket } = command.optsWithGlobals<{ socket?: string }>();
      return initialise(parseInitWish(options), context, socket ?? usualSocket);
    });
}
