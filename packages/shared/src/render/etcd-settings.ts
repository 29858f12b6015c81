// In: a member of the mesh's own etcd, its cluster. Out: what its etcd starts from: settings, and the hosts file that is bound
// over /etc/hosts for it. Pure. Each setting is tried with a real etcd (test/integration/etcd-settings.test.ts).
import { familyOf } from "../model/address.ts";
import type { DesiredContent } from "../model/desired.ts";
import type { DesiredEtcdCluster, EtcdMember } from "../model/desired-etcd.ts";
import { byText } from "../plan/text-order.ts";
import { ciliumNamespace } from "./cilium-labels.ts";
import {
  clientsName,
  clusterName,
  etcdPlaces,
  etcdPorts,
  memberSvidFiles,
  type SvidFiles,
} from "./etcd-places.ts";

/** The members a new one begins with, itself included. Once it has data, etcd goes by that. */
export interface EtcdBeginning {
  readonly members: readonly { readonly name: string; readonly peerUrl: string }[];
  /** It makes a cluster, and does not join one. */
  readonly isNew: boolean;
}

export interface EtcdGround extends Pick<DesiredContent, "mesh"> {
  readonly member: EtcdMember;
  readonly zone: string;
  readonly beginning: EtcdBeginning;
  /** Users and roles are in force: until then the port for clients is open on loopback alone. */
  readonly isOpen: boolean;
}

/** The only form of it: what a member says of itself, and what others call it by. */
export function peerUrlOf(name: string): string {
  return `https://${name}:${etcdPorts.members}`;
}

export function clientUrlOf(name: string): string {
  return `https://${name}:${etcdPorts.clients}`;
}

export function renderEtcdSettings(ground: EtcdGround): string {
  const { member, mesh, zone, beginning, isOpen } = ground;
  const at = (port: number) => `https://${bracketed(member.address)}:${port}`;
  const loopback = `https://127.0.0.1:${etcdPorts.clients}`;
  const settings = {
    name: member.name,
    "data-dir": etcdPlaces.data,
    "listen-client-urls": [loopback, ...(isOpen ? [at(etcdPorts.clients)] : [])].join(","),
    "advertise-client-urls": clientUrlOf(member.name),
    "listen-peer-urls": at(etcdPorts.members),
    "initial-advertise-peer-urls": peerUrlOf(member.name),
    "initial-cluster": beginning.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(","),
    "initial-cluster-state": beginning.isNew ? "new" : "existing",
    "initial-cluster-token": ciliumNamespace(mesh),
    // any service of the mesh has a certificate of the same authority: clients and members are those with these names in
    // theirs. Users and roles are not enough: whoever is let in makes leases and sees the members without being a user
    "client-transport-security": {
      ...transport(memberSvidFiles),
      "allowed-hostname": [clusterName(zone), clientsName],
    },
    "peer-transport-security": { ...transport(memberSvidFiles), "allowed-hostname": [clusterName(zone)] },
    "tls-min-version": "TLS1.3",
    // it would pass on whatever anybody asks with the member's own certificate, so as root
    "enable-grpc-gateway": false,
    "auto-compaction-mode": "periodic",
    "auto-compaction-retention": "1h",
    "quota-backend-bytes": 512 * 1024 * 1024,
    logger: "zap",
    "log-level": "warn",
    "log-outputs": ["stderr"],
  };
  return `${JSON.stringify(settings, undefined, 2)}\n`;
}

function transport({ bundle, certificate, key }: SvidFiles) {
  return {
    "cert-file": certificate,
    "key-file": key,
    "client-cert-auth": true,
    "trusted-ca-file": bundle,
  };
}

/** A member looks up who knocks at its port for members, too: nobody it does not find here is one. */
export function renderEtcdHosts({ members }: Pick<DesiredEtcdCluster, "members">): string {
  // another order in the mesh file is no reason to start again
  const lines = members.map(({ address, name }) => `${address} ${name}\n`).toSorted(byText);
  return `127.0.0.1 localhost\n::1 localhost\n${lines.join("")}`;
}

function bracketed(address: string): string {
  return familyOf(address) === 6 ? `[${address}]` : address;
}
