// In: nothing. Out: where things of the mesh's own etcd are on a node, and what they are called there. Pure.
import { ciliumPlaces } from "./cilium-places.ts";

export const etcdUnit = "weft-etcd.service";

/** Made when a node is installed; also the user of the implied service of that name. */
export const etcdUser = "weft-etcd";

export const etcdPorts = { clients: 2379, members: 2380 } as const;

export const etcdPlaces = {
  configuration: "/etc/weft/etcd",
  settings: "/etc/weft/etcd/etcd.json",
  /** Bound over /etc/hosts for the unit alone: members find each other with DNS away. */
  hosts: "/etc/weft/etcd/hosts",
  data: "/var/lib/weft-etcd",
  /** Of the agent's own: snapshots. */
  backups: "/var/lib/weft/etcd-backups",
} as const;

/** In every member's certificate beside its own name, and in no other certificate: by it members know each other. */
export function clusterName(zone: string): string {
  return `${etcdUser}.${zone}`;
}

/** In DNS, and in etcd: the first name in its certificate, and so its user. */
export function memberName(node: string, zone: string): string {
  return `${node}.node.${zone}`;
}

/** In its certificate alone. */
export function clientName(node: string): string {
  return `${node}.cilium.weft`;
}

/** In every client's certificate beside its own name, and in no other: etcd has rights that are no user's, such as leases. */
export const clientsName = "clients.weft";

export interface SvidFiles {
  readonly bundle: string;
  readonly certificate: string;
  readonly key: string;
}

export const memberSvidFiles: SvidFiles = svidFilesIn(`${etcdPlaces.configuration}/svid`);
export const ciliumSvidFolder = `${ciliumPlaces.configuration}/svid`;
export const ciliumSvidFiles: SvidFiles = svidFilesIn(ciliumSvidFolder);

function svidFilesIn(folder: string): SvidFiles {
  return { bundle: `${folder}/bundle.pem`, certificate: `${folder}/svid.pem`, key: `${folder}/svid.key` };
}
