// In: the host. Out: its services in the machine's own network again, and nothing of Cilium left, neither units nor links,
// rules, programs and files. For `leave`, and for a node that goes back to nftables. Safe to run again: every part
// is tried, and what tells that there is something to do goes last.
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { ciliumDownUnit, ciliumPlaces, ciliumUnit, namespaceUnit } from "@weft/shared/render/cilium-places";
import { renderEndpointsRemoval } from "@weft/shared/render/endpoints-table";
import { ciliumSvidFolder } from "@weft/shared/render/etcd-places";
import type { Host } from "../host/host.ts";
import { loadScript } from "../policy/kernel-table.ts";
import { movedUnits, releaseUnits, removeDropIns, restartIfUsed } from "./moved-units.ts";

/** Written by Weft; what else lies in that folder may be the operator's, such as the certificates of etcd. */
const ownFiles = [
  ciliumPlaces.options,
  ciliumPlaces.environment,
  ciliumPlaces.started,
  ciliumPlaces.etcd,
  ciliumPlaces.policies,
  `${ciliumPlaces.policies}.confirmed`,
  `${ciliumPlaces.policies}.aside`,
  `${ciliumPlaces.policies}.changing`,
  ciliumPlaces.endpoints,
  ciliumPlaces.resolvConf,
  ciliumPlaces.path,
  ciliumPlaces.moved,
  ciliumSvidFolder,
] as const;

/** @returns what was done; undefined: there was nothing to do. Throws WEFT-E004 with the parts that did not work */
export async function takeDownCilium(host: Host): Promise<string | undefined> {
  const moved = await movedUnits(host);
  const services = await host.files.list(ciliumPlaces.endpoints);
  const hadAgent = await isConfigured(host);
  if (!hadAgent && moved.length === 0 && services.length === 0) return undefined;
  const failed: string[] = [];
  const reasons: string[] = [];
  const attempt = async (what: string, part: () => Promise<void>): Promise<void> => {
    try {
      await part();
    } catch (failure) {
      failed.push(what);
      reasons.push(messageOf(failure));
    }
  };
  // alone outside: as long as systemd knows them by their namespaces, nothing may be taken from under them
  await releaseUnits(host, moved);
  // before the services listen here: what is for them would still be sent to their endpoints
  await attempt("removing published ports", () => loadScript(host.exec, renderEndpointsRemoval()));
  for (const unit of moved) await attempt(`restarting ${unit}`, () => restartIfUsed(host, unit));
  await attempt(`stopping ${ciliumUnit}`, () => stop(host, ciliumUnit));
  // not what an agent of somebody else has there
  if (hadAgent) await attempt("cleaning the kernel", () => host.units.start(ciliumDownUnit));
  for (const service of services)
    await attempt(`removing the namespace of ${service}`, () => host.units.stop(namespaceUnit(service)));
  await attempt("removing drop-ins", () => removeDropIns(host, moved));
  if (failed.length === 0) await attempt("removing files", () => removeFiles(host));
  if (failed.length > 0)
    throw new WeftError("WEFT-E004", `Cilium is not taken down whole: ${failed.join(", ")}`, {
      why: reasons.join("; "),
    });
  return "services are in this machine's own network, and nothing of Cilium is left";
}

async function isConfigured({ files }: Host): Promise<boolean> {
  return (await files.info(ciliumPlaces.options)) !== undefined;
}

/** Something of Weft's is here that has to do with Cilium. */
export async function hasTraces(host: Host): Promise<boolean> {
  return (await isConfigured(host)) || (await host.files.list(ciliumPlaces.endpoints)).length > 0;
}

async function stop({ units }: Host, unit: string): Promise<void> {
  const { exists, active, enabled } = await units.state(unit);
  if (!exists) return;
  if (enabled) await units.disable(unit);
  if (active !== "inactive") await units.stop(unit);
}

async function removeFiles({ files }: Host): Promise<void> {
  for (const path of ownFiles) await files.removeTree(path);
  if ((await files.list(ciliumPlaces.configuration)).length === 0)
    await files.removeTree(ciliumPlaces.configuration);
}
