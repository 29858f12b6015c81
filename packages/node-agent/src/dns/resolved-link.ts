// In: the zone. Out: a link of our own through which systemd-resolved sends that zone, and no other name, to our
// resolver; and the link gone. /etc/resolv.conf is not touched.
import { isWeftError } from "@weft/shared/errors/weft-error";
import { resolverAddress } from "@weft/shared/render/resolver-address";
import type { Host } from "../host/host.ts";

/** A veth pair, because not every kernel has dummy links. */
const linkName = "weft-dns0";
const peerName = "weft-dns0p";

/**
 * systemd-resolved ignores a link without an address. 192.0.0.8 is the IPv4 dummy address (RFC 7600): by its
 * registration never a destination and never forwarded, so it can clash with no network that anybody reaches.
 * Scope "site": routable enough for systemd-resolved, but the kernel never picks it as the source of a packet.
 */
const linkAddress = "192.0.0.8/32";

export interface LinkState {
  readonly exists: boolean;
  /** systemd-resolved uses it, for our resolver and the zone. */
  readonly inForce: boolean;
}

/** /proc shows the network namespace of the reader; /sys that of whoever mounted it, which in a container is another. */
export async function linkExists(host: Host): Promise<boolean> {
  const devices = (await host.files.readText("/proc/self/net/dev")) ?? "";
  return devices.split("\n").some((line) => line.trimStart().startsWith(`${linkName}:`));
}

export async function observeLink(host: Host, zone: string): Promise<LinkState> {
  if (!(await linkExists(host))) return { exists: false, inForce: false };
  try {
    const status = await host.exec.run("resolvectl", ["--no-pager", "status", linkName]);
    return { exists: true, inForce: usesOurResolver(status.stdout, zone) };
  } catch (failure) {
    if (isWeftError(failure)) return { exists: true, inForce: false };
    throw failure;
  }
}

/** From `resolvectl status LINK`. */
export function usesOurResolver(status: string, zone: string): boolean {
  const field = (name: string) =>
    new RegExp(`^ *${name}: *(.*)$`, "m").exec(status)?.[1]?.trim().split(/\s+/) ?? [];
  return (
    field("Current Scopes").includes("DNS") &&
    field("DNS Servers").join() === resolverAddress &&
    field("DNS Domain").join() === `~${zone}` &&
    field("Protocols").includes("-DefaultRoute")
  );
}

/** Works on a link that is half there, too. */
export async function createLink(host: Host, zone: string): Promise<void> {
  const run = (program: string, ...args: string[]) => host.exec.run(program, args);
  if (!(await linkExists(host)))
    await run("ip", "link", "add", linkName, "type", "veth", "peer", "name", peerName);
  for (const name of [linkName, peerName]) {
    // no link-local IPv6 address: nobody is at the other end
    await run("ip", "link", "set", "dev", name, "addrgenmode", "none");
    await run("ip", "link", "set", "dev", name, "up");
  }
  await run("ip", "address", "replace", linkAddress, "dev", linkName, "scope", "site");
  await run("resolvectl", "llmnr", linkName, "no");
  await run("resolvectl", "mdns", linkName, "no");
  await run("resolvectl", "dnssec", linkName, "no");
  await run("resolvectl", "dnsovertls", linkName, "no");
  await run("resolvectl", "default-route", linkName, "no");
  await run("resolvectl", "domain", linkName, `~${zone}`);
  await run("resolvectl", "dns", linkName, resolverAddress);
}

/** The settings go with the link. */
export async function deleteLink(host: Host): Promise<void> {
  if (await linkExists(host)) await host.exec.run("ip", ["link", "delete", "dev", linkName]);
}
