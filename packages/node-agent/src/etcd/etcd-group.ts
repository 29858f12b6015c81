// In: the host. Out: the group of the user that etcd runs as, made when the node was installed.
import { WeftError } from "@weft/shared/errors/weft-error";
import { etcdUser } from "@weft/shared/render/etcd-places";
import type { Exec } from "../host/host.ts";

/** @throws WEFT-E007 if there is none */
export async function etcdGroup(exec: Pick<Exec, "run">): Promise<number> {
  const { stdout } = await exec.run("getent", ["passwd", "--", etcdUser], { allow: [0, 2] });
  const [name, , , gid = ""] = stdout.trim().split(":");
  if (name === etcdUser && /^\d+$/.test(gid)) return Number(gid);
  throw new WeftError("WEFT-E007", `there is no user ${etcdUser}`, {
    hint: "run install.sh of this release again on this machine",
  });
}
