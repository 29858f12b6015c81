import { describe, expect, it } from "@jest/globals";
import { type EtcdGround, peerUrlOf, renderEtcdHosts, renderEtcdSettings } from "./etcd-settings.ts";

const hub = { node: "hub", address: "10.77.0.10", name: "hub.node.mesh.internal" };
const db = { node: "db", address: "10.77.0.13", name: "db.node.mesh.internal" };
const ground: EtcdGround = {
  member: hub,
  mesh: "shop",
  zone: "mesh.internal",
  beginning: { members: [{ name: hub.name, peerUrl: peerUrlOf(hub.name) }], isNew: true },
  isOpen: false,
};
const settingsOf = (more: Partial<EtcdGround> = {}): Record<string, unknown> =>
  JSON.parse(renderEtcdSettings({ ...ground, ...more }));
const svid = (file: string) => `/etc/weft/etcd/svid/${file}`;
const transport = {
  "cert-file": svid("svid.pem"),
  "key-file": svid("svid.key"),
  "client-cert-auth": true,
  "trusted-ca-file": svid("bundle.pem"),
};

describe("a member's settings", () => {
  it("are all of these, whatever the defaults of an etcd become", () => {
    expect(settingsOf()).toEqual({
      name: "hub.node.mesh.internal",
      "data-dir": "/var/lib/weft-etcd",
      "listen-client-urls": "https://127.0.0.1:2379",
      "advertise-client-urls": "https://hub.node.mesh.internal:2379",
      "listen-peer-urls": "https://10.77.0.10:2380",
      "initial-advertise-peer-urls": "https://hub.node.mesh.internal:2380",
      "initial-cluster": "hub.node.mesh.internal=https://hub.node.mesh.internal:2380",
      "initial-cluster-state": "new",
      "initial-cluster-token": "weft-shop",
      "client-transport-security": {
        ...transport,
        "allowed-hostname": ["weft-etcd.mesh.internal", "clients.weft"],
      },
      "peer-transport-security": { ...transport, "allowed-hostname": ["weft-etcd.mesh.internal"] },
      "tls-min-version": "TLS1.3",
      "enable-grpc-gateway": false,
      "auto-compaction-mode": "periodic",
      "auto-compaction-retention": "1h",
      "quota-backend-bytes": 536_870_912,
      logger: "zap",
      "log-level": "warn",
      "log-outputs": ["stderr"],
    });
  });

  it("open the port for clients on the node's address, too, once users are in force", () => {
    expect(settingsOf({ isOpen: true })["listen-client-urls"]).toBe(
      "https://127.0.0.1:2379,https://10.77.0.10:2379",
    );
    const six = { ...hub, address: "fd00::10" };
    expect(settingsOf({ isOpen: true, member: six })).toMatchObject({
      "listen-client-urls": "https://127.0.0.1:2379,https://[fd00::10]:2379",
      "listen-peer-urls": "https://[fd00::10]:2380",
    });
  });

  it("name all that it begins with, when it joins", () => {
    const members = [hub, db].map(({ name }) => ({ name, peerUrl: peerUrlOf(name) }));
    expect(settingsOf({ beginning: { members, isNew: false } })).toMatchObject({
      "initial-cluster":
        "hub.node.mesh.internal=https://hub.node.mesh.internal:2380,db.node.mesh.internal=https://db.node.mesh.internal:2380",
      "initial-cluster-state": "existing",
    });
  });
});

it("finds members by a hosts file of its own, and nobody else", () => {
  expect(renderEtcdHosts({ members: [db, hub] })).toBe(
    "127.0.0.1 localhost\n::1 localhost\n10.77.0.10 hub.node.mesh.internal\n10.77.0.13 db.node.mesh.internal\n",
  );
});
