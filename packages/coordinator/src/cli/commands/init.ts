// `weft init`: makes this machine the hub of a new mesh, or goes on with one that was begun.
import type { Command } from "commander";
import type { InitOptions } from "../../setup/init-wish.ts";
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
    .action(async (options: InitOptions, command: Command) => {
      // once in the life of a mesh: no other command should wait for it to be loaded
      const { parseInitWish } = await import("../../setup/init-wish.ts");
      const { initialise } = await import("../../setup/initialise.ts");
      const { socket } = command.optsWithGlobals<{ socket?: string }>();
      return initialise(parseInitWish(options), context, socket ?? usualSocket);
    });
}
