// In: the host of a node that is to run no member any more. Out: its member taken out of the cluster by itself, as long as the
// others can agree to that; its unit, data and files gone. Safe to run again: what tells that there is something to do goes last.
//
// Two of three members that were stopped first and removed afterwards would leave one that cannot remove them any more.
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import { etcdPlaces, etcdUnit, memberSvidFiles } from "@weft/shared/render/etcd-places";
import type { Host } from "../host/host.ts";
import { readKeptSettings } from "./kept-settings.ts";
import { listMembers, ownUrl, removeMember } from "./member-list.ts";

/**
 * @param isHurried it stops even where the others do not agree
 * @returns what was done; undefined: there was nothing to do
 */
export async function takeDownEtcd(host: Host, isHurried: boolean): Promise<string | undefined> {
  if (!(await hasMember(host))) return undefined;
  const { exists, active, enabled } = await host.units.state(etcdUnit);
  if (exists) {
    if (active === "active") await leaveCluster(host, isHurried);
    if (enabled) await host.units.disable(etcdUnit);
    if (active !== "inactive") await host.units.stop(etcdUnit);
    // after a failure it counts as not at rest, and nothing of it would be cleaned
    await host.exec.run("systemctl", ["reset-failed", "--", etcdUnit], { allow: [0, 1] });
    // the folder is another user's: systemd removes it for whoever may ask
    await host.exec.run("systemctl", ["clean", "--what=state", "--", etcdUnit]);
  }
  await host.files.removeTree(etcdPlaces.configuration);
  return "this node runs no member of the mesh's etcd, and its data is gone";
}

export async function hasMember({ files }: Pick<Host, "files">): Promise<boolean> {
  return (await files.info(etcdPlaces.configuration)) !== undefined;
}

async function leaveCluster({ exec, files }: Host, isHurried: boolean): Promise<void> {
  const settings = await files.readText(etcdPlaces.settings);
  if (settings === undefined || (await files.info(memberSvidFiles.certificate)) === undefined) return;
  try {
    const { ownPeerUrl } = readKeptSettings(settings);
    const members = await listMembers(exec, ownUrl);
    const own = members.find(({ peerUrls }) => peerUrls.includes(ownPeerUrl));
    const others = members.filter((each) => each !== own).flatMap(({ clientUrls }) => clientUrls);
    if (own !== undefined && others.length > 0) await removeMember(exec, own.id, others);
  } catch (failure) {
    if (!isWeftError(failure)) throw failure;
    if (isHurried) return;
    throw new WeftError("WEFT-E004", "the other members of etcd do not let this one go yet", {
      why: failure.why ?? failure.message,
      cause: failure,
    });
  }
}
