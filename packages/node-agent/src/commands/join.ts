// `weft-node-agent join ADDRESS --pin sha256:...`: from a bare machine to a node with policy, names and identity in
// force, narrated. Safe to repeat after anything that went wrong.
import { WeftError } from "@weft/shared/errors/weft-error";
import { normaliseAddress } from "@weft/shared/model/address";
import { parsePin } from "@weft/shared/wire/trust-bundle";
import { join } from "../enrol/join.ts";
import { readToken } from "../enrol/token.ts";
import type { Host } from "../host/host.ts";
import { places, unitNames } from "../state/places.ts";
import { awaitEnforced } from "./await-enforced.ts";
import type { CommandContext } from "./context.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import { narration } from "./narration.ts";
import { tellForeignHooks } from "./preflight.ts";

export interface JoinArguments {
  readonly address: string;
  readonly pin: string;
  readonly port: string;
  readonly tokenFile: string | undefined;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65535) return port;
  throw new WeftError("WEFT-E001", `"${text}" is no port`, {
    hint: "the enrolment port is 7444 unless said otherwise",
  });
}

async function startUnits(host: Host): Promise<void> {
  await host.units.enable(unitNames.restore);
  await host.units.enable(unitNames.agent);
  const { active } = await host.units.state(unitNames.agent);
  if (active === "active") await host.units.restart(unitNames.agent);
  else await host.units.start(unitNames.agent);
}

export async function runJoin(context: CommandContext, args: JoinArguments): Promise<ExitCode> {
  const { host, terminal, signal } = context;
  const address = normaliseAddress(args.address);
  if (address === undefined)
    throw new WeftError("WEFT-E001", `"${args.address}" is no IP address`, {
      why: "The coordinator is reached by address, never by name.",
      hint: "paste the line that `weft node add` printed",
    });
  const pin = parsePin(args.pin);
  const port = parsePort(args.port);
  if (!context.isRoot) throw new WeftError("WEFT-E006", "joining needs root", { hint: "run it with sudo" });
  const narrate = narration(host.clock, terminal.out);
  await tellForeignHooks(host, narrate);
  const bootId = ((await host.files.readText(places.bootId)) ?? "").trim();
  const outcome = await join(
    host,
    {
      coordinator: { address, port },
      pin,
      token: () =>
        readToken(
          { tokenFile: args.tokenFile, input: terminal.input, screen: terminal.questions },
          host.files,
        ),
      agentVersion: context.version,
      bootId,
    },
    narrate,
  );
  const { enrolment } = outcome;
  if (outcome.kind === "already") {
    terminal.out(`this machine is already node ${enrolment.node} of mesh ${enrolment.mesh}`);
    if (enrolment.dismissed !== "") {
      throw new WeftError("WEFT-E204", `and the coordinator has dismissed it: ${enrolment.dismissed}`, {
        hint: "run `weft-node-agent leave`, then join with a new token",
      });
    }
    const { active, enabled } = await host.units.state(unitNames.agent);
    if (active === "active" && enabled) return exitCodes.done;
  } else {
    narrate(`joined mesh ${enrolment.mesh} as node ${enrolment.node}`);
    await host.files.remove(places.report);
  }
  await startUnits(host);
  narrate("weft-node-agent runs, and starts at boot");
  const report = await awaitEnforced(host, narrate, signal);
  // Active from now on, so that a restart of nftables.service, which flushes everything, restarts it as well.
  await host.units.start(unitNames.restore);
  narrate(
    `${enrolment.node} is in force: generation ${report.generation}, revision ${report.enforcedRevision}`,
  );
  terminal.out("next: on the coordinator, weft status");
  return exitCodes.done;
}
