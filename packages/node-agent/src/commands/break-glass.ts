// `weft-node-agent break-glass`: lets administrators in, whatever the policy says, with agent and coordinator dead. It
// changes the kernel's rules and nothing else: three sets that no policy touches, whose elements end by themselves.

import { WeftError } from "@weft/shared/errors/weft-error";
import { formatCidr, parseCidr } from "@weft/shared/model/address";
import { addressRanges, cidrsOf, without } from "@weft/shared/model/address-ranges";
import type { DesiredState, Guard, PortRange } from "@weft/shared/model/desired";
import { contentOf } from "@weft/shared/plan/desired-content";
import { type Glass, renderGlass, renderGlassClosed } from "@weft/shared/render/nftables-glass";
import { applyFloor } from "../floor/apply-floor.ts";
import { FloorFile } from "../floor/floor-file.ts";
import type { Files, Host } from "../host/host.ts";
import { readDesired } from "../link/desired-store.ts";
import { readConfirmed } from "../policy/confirmed.ts";
import { loadScript } from "../policy/kernel-table.ts";
import type { CommandContext } from "./context.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";

export interface BreakGlassWish {
  /** Empty: the mesh file's admin ranges, as this node was last given them, without banned nodes. */
  readonly from: readonly string[];
  /** Empty: its guard ports. */
  readonly ports: readonly string[];
  readonly seconds: number;
  readonly close: boolean;
}

const sizes: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };
const longestSeconds = 24 * 3600;
const ssh: PortRange = { protocol: "tcp", from: 22, to: 22 };

/** "90s", "30m", "2h" as seconds. */
export function parseGlassTime(text: string): number {
  const match = /^([1-9]\d{0,4})([smh])$/.exec(text);
  const seconds = Number(match?.[1]) * (sizes[match?.[2] ?? ""] ?? Number.NaN);
  if (seconds <= longestSeconds) return seconds;
  throw new WeftError("WEFT-E001", `"${text}" is no such time`, { hint: "like 30m or 2h; at most 24h" });
}

function parsePort(text: string): PortRange {
  const match = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
  const port = Number(match?.[1]);
  if (port >= 1 && port <= 65_535)
    return { protocol: match?.[2] === "udp" ? "udp" : "tcp", from: port, to: port };
  throw new WeftError("WEFT-E001", `"${text}" is no port`, { hint: "write it like 22/tcp" });
}

function checkSource(text: string): string {
  if (parseCidr(text) !== undefined) return text;
  throw new WeftError("WEFT-E001", `"${text}" is no address or CIDR`, { hint: "write it like 192.0.2.0/28" });
}

/** Damaged files are no reason to keep an administrator out. */
async function guardOf({ files }: Host): Promise<{ from: readonly string[]; ports: readonly PortRange[] }> {
  const desired = await readDesired(files).catch(() => undefined);
  const confirmed = await readConfirmed(files).catch(() => undefined);
  const guard = desired === undefined ? undefined : await flooredGuard(files, desired);
  const ports = [...(guard?.ports ?? []), ...(confirmed?.guardPorts ?? [])];
  // who is banned is let in only when named
  const open = without(addressRanges(guard?.admin ?? []), addressRanges(guard?.banned ?? []));
  return { from: open.flatMap(cidrsOf).map(formatCidr), ports: ports.length === 0 ? [ssh] : ports };
}

/** As this machine's floor lets it be: what a stolen coordinator sent is not what is opened in haste. */
async function flooredGuard(files: Files, desired: DesiredState): Promise<Guard | undefined> {
  const look = await new FloorFile(files).look();
  if (look.state === "broken") return undefined;
  const floor = look.state === "none" ? undefined : look.floor;
  return applyFloor(contentOf(desired), floor).content.policy.guard;
}

async function glassFor(host: Host, wish: BreakGlassWish): Promise<Glass> {
  const guard = await guardOf(host);
  const from = wish.from.length === 0 ? guard.from : wish.from.map(checkSource);
  if (from.length === 0)
    throw new WeftError("WEFT-E001", "nobody is named to be let in", {
      why: "The mesh file names no admin range, or what this node was given, or its floor, cannot be read.",
      hint: "say --from 192.0.2.7",
    });
  const ports = wish.ports.length === 0 ? guard.ports : wish.ports.map(parsePort);
  return { from, ports, seconds: wish.seconds };
}

export async function runBreakGlass(context: CommandContext, wish: BreakGlassWish): Promise<ExitCode> {
  const { host, terminal } = context;
  if (!context.isRoot)
    throw new WeftError("WEFT-E006", "changing the kernel's rules needs root", { hint: "run it with sudo" });
  const listing = ["list", "chain", "inet", "weft", "input"];
  const input = await host.exec.run("nft", listing, { allow: [0, 1] });
  if (input.code !== 0) {
    terminal.out("the kernel holds no rules of Weft: nothing of it keeps anybody out");
    return exitCodes.done;
  }
  if (wish.close) {
    await loadScript(host.exec, renderGlassClosed());
    terminal.out("closed: the policy alone decides again");
    return exitCodes.done;
  }
  const glass = await glassFor(host, wish);
  await loadScript(host.exec, renderGlass(glass, /@glass_from4/.test(input.stdout)));
  const until = new Date(host.clock.now().getTime() + wish.seconds * 1000).toISOString();
  const ports = glass.ports.map(
    ({ protocol, from, to }) => `${from === to ? from : `${from}-${to}`}/${protocol}`,
  );
  terminal.out(
    `open to ${glass.from.join(", ")}: ${[...new Set(ports)].join(", ")}, whatever the policy says`,
  );
  terminal.out(`until ${until}, or until a reboot, or: weft-node-agent break-glass --close`);
  terminal.out("rules of other programs are not touched and may still refuse: nft list ruleset");
  return exitCodes.done;
}
