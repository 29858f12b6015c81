// What a member is started from, with a real etcd of the pinned version: who is let in where, before and after users are in force,
// and how a second member comes in. Ports and folders are others, so that nothing of this machine is in the way.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { connect } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { parseMemberList } from "../../packages/node-agent/src/etcd/member-list.ts";
import type { EtcdMember } from "../../packages/shared/src/model/desired-etcd.ts";
import { etcdPlaces, memberSvidFiles } from "../../packages/shared/src/render/etcd-places.ts";
import {
  type EtcdBeginning,
  peerUrlOf,
  renderEtcdHosts,
  renderEtcdSettings,
} from "../../packages/shared/src/render/etcd-settings.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { type Issued, makeLeaf, makeRoot } from "../support/test-ca.ts";

const zone = "mesh.internal";
const memberOf = (node: string, address: string): EtcdMember => ({
  node,
  address,
  name: `${node}.node.${zone}`,
});
const [hub, db] = [memberOf("hub", "127.0.0.2"), memberOf("db", "127.0.0.3")];

const components = resolve(import.meta.dirname, "../../scripts/components");
const binary = (name: string) => execFileSync(components, ["--path", name], { encoding: "utf8" }).trim();

const root = makeRoot();
const certificateOf = (node: string) =>
  makeLeaf(root, `spiffe://${zone}/weft/etcd/${node}`, {
    commonName: `${node}.node.${zone}`,
    dnsNames: [`${node}.node.${zone}`, `weft-etcd.${zone}`, "localhost"],
  });
const client = makeLeaf(root, `spiffe://${zone}/weft/cilium/api1`, {
  commonName: "api1.cilium.weft",
  dnsNames: ["api1.cilium.weft", "clients.weft"],
});
const service = makeLeaf(root, `spiffe://${zone}/web`);

let folder: string;
let ports: { readonly clients: number; readonly members: number };
let ends: (() => Promise<void>)[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "weft-etcd-"));
  ports = { clients: await freePort(), members: await freePort() };
  ends = [];
});
afterEach(async () => {
  for (const end of ends) await end();
  rmSync(folder, { recursive: true, force: true });
});

/** Of a member, with all that is this test's own put in place of what is a machine's. */
function placed(member: EtcdMember, text: string): string {
  return text
    .replaceAll(etcdPlaces.configuration, join(folder, member.node))
    .replaceAll(etcdPlaces.data, join(folder, member.node, "data"))
    .replaceAll("127.0.0.1:2379", `${member.address}:${ports.clients + 1}`)
    .replaceAll(":2379", `:${ports.clients}`)
    .replaceAll(":2380", `:${ports.members}`);
}

const pathOf = (member: EtcdMember, path: string) => placed(member, path);
const logOf = (member: EtcdMember) => readFileSync(join(folder, `${member.node}.log`), "utf8");

/** @param hosts what is bound over /etc/hosts for it, as in its unit */
async function start(member: EtcdMember, beginning: EtcdBeginning, isOpen: boolean, hosts = [hub, db]) {
  mkdirSync(pathOf(member, `${etcdPlaces.configuration}/svid`), { recursive: true });
  const own = certificateOf(member.node);
  writeFileSync(pathOf(member, memberSvidFiles.bundle), root.pem);
  writeFileSync(pathOf(member, memberSvidFiles.certificate), own.pem);
  writeFileSync(pathOf(member, memberSvidFiles.key), own.keyPem, { mode: 0o600 });
  writeFileSync(pathOf(member, etcdPlaces.hosts), renderEtcdHosts({ members: hosts }));
  const settings = pathOf(member, etcdPlaces.settings);
  writeFileSync(
    settings,
    placed(member, renderEtcdSettings({ member, mesh: "shop", zone, beginning, isOpen })),
  );
  const bound = `mount --bind ${pathOf(member, etcdPlaces.hosts)} /etc/hosts && exec "$0" "$@"`;
  const log = join(folder, `${member.node}.log`);
  const child = spawn(
    "sh",
    ["-c", `exec unshare ${process.getuid?.() === 0 ? "-m" : "-rm"} sh -c '${bound}' "$0" "$@" >${log} 2>&1`]
      .concat(binary("etcd"))
      .concat(`--config-file=${settings}`),
    { stdio: "ignore" },
  );
  const exited = once(child, "exit");
  ends.unshift(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  return child;
}

const alone = (member: EtcdMember): EtcdBeginning => ({
  members: [{ name: member.name, peerUrl: peerUrlOf(member.name) }],
  isNew: true,
});

/** By the member's own certificate, at its port on loopback. */
function etcdctl(member: EtcdMember, ...args: string[]): string {
  const { bundle, certificate, key } = memberSvidFiles;
  const tls = [`--cacert=${bundle}`, `--cert=${certificate}`, `--key=${key}`].map((arg) =>
    pathOf(member, arg),
  );
  // the port on loopback is at another address here: every member has one
  const endpoint = `--endpoints=https://localhost:${ports.clients + 1}`;
  const hosts = join(folder, `${member.node}.hosts`);
  writeFileSync(hosts, `${member.address} localhost\n`);
  const bound = `mount --bind ${hosts} /etc/hosts && exec "$0" "$@"`;
  const mount = process.getuid?.() === 0 ? "-m" : "-rm";
  const all = [
    mount,
    "sh",
    "-c",
    bound,
    binary("etcdctl"),
    endpoint,
    ...tls,
    "--command-timeout=3s",
    ...args,
  ];
  return execFileSync("unshare", all, { encoding: "utf8", stdio: "pipe" });
}

function isDone(work: () => string): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

async function serves(member: EtcdMember): Promise<void> {
  await eventually(
    `${member.node} serves`,
    () => isDone(() => etcdctl(member, "get", "nothing")),
    30_000,
  ).catch((failure: unknown) => {
    throw new Error(logOf(member), { cause: failure });
  });
}

/** What becomes of a handshake at a port, and, over it, of an RPC through HTTP. */
async function knock(
  member: EtcdMember,
  port: number,
  by: Issued | undefined,
  more: { readonly maxVersion?: "TLSv1.2"; readonly localAddress?: string } = {},
): Promise<string> {
  const own = by === undefined ? {} : { cert: by.pem, key: by.keyPem };
  return await new Promise((done) => {
    const socket = connect({
      ...{ host: member.address, port, ca: root.pem, servername: member.name, ...own, ...more },
    });
    socket.once("error", (failure) => done(failure.message));
    // a certificate is refused after the handshake, in TLS 1.3
    socket.once("secureConnect", () => socket.write("GET /version HTTP/1.1\r\nHost: x\r\n\r\n"));
    socket.once("data", (data) => {
      done(data.toString().split("\r\n")[0] ?? "");
      socket.destroy();
    });
    socket.once("close", () => done("closed"));
  });
}

async function viaGateway(member: EtcdMember, by: Issued): Promise<number | undefined> {
  return await new Promise((done, fail) => {
    const asked = request(
      {
        ...{ host: member.address, port: ports.clients + 1, path: "/v3/kv/range", method: "POST" },
        ...{ ca: root.pem, cert: by.pem, key: by.keyPem, servername: member.name },
      },
      (answer) => {
        answer.resume();
        done(answer.statusCode);
      },
    );
    asked.once("error", fail);
    asked.end('{"key":"AA=="}');
  });
}

describe("a member's settings", () => {
  it("let clients in on loopback alone until users are in force, by certificates and TLS 1.3 alone", async () => {
    await start(hub, alone(hub), false);
    await serves(hub);
    const loopback = ports.clients + 1;
    expect(await knock(hub, loopback, client)).toContain("200");
    expect(await knock(hub, loopback, undefined)).toMatch(/certificate required/);
    expect(await knock(hub, loopback, makeLeaf(makeRoot(), "spiffe://mesh.internal/x"))).toMatch(
      /unknown ca|bad certificate/i,
    );
    expect(await knock(hub, loopback, client, { maxVersion: "TLSv1.2" })).toMatch(/version/);
    expect(await knock(hub, ports.clients, client)).toContain("ECONNREFUSED");
    // of the same authority: without a user it could still make leases till etcd is full
    expect(await knock(hub, loopback, service)).toMatch(/bad certificate|closed/);
    expect(await viaGateway(hub, client)).toBe(404);
  }, 60_000);

  it("let them in at the node's address once users are in force, and a member knows only members", async () => {
    await start(hub, alone(hub), true);
    await serves(hub);
    expect(await knock(hub, ports.clients, client)).toContain("200");
    expect(await knock(hub, ports.clients, service)).toMatch(/bad certificate|closed/);
    expect(await knock(hub, ports.members, service)).toMatch(/bad certificate|closed/);
    expect(await knock(hub, ports.members, client)).toMatch(/bad certificate|closed/);
    // a member's certificate counts from where the hosts file says that the member is
    const ofDb = (localAddress: string) => knock(hub, ports.members, certificateOf("db"), { localAddress });
    expect(await ofDb("127.0.0.9")).toMatch(/ECONNRESET|closed/);
    expect(await ofDb(db.address)).toContain("200");
    const limits = JSON.parse(etcdctl(hub, "endpoint", "status", "--write-out=json"));
    expect(limits[0].Status.dbSizeQuota).toBe(512 * 1024 * 1024);
  }, 60_000);

  it("bring a second member in, by names that the hosts file alone knows", async () => {
    await start(hub, alone(hub), false);
    await serves(hub);
    etcdctl(hub, "put", "cilium/x", "1");
    etcdctl(hub, "member", "add", "db", `--peer-urls=${placed(db, peerUrlOf(db.name))}`);
    const list = () =>
      parseMemberList(etcdctl(hub, "member", "list", "--write-out=simple", "--consistency=s"));
    expect(list().filter(({ hasBegun }) => hasBegun)).toHaveLength(1);
    const members = [hub, db].map(({ name }) => ({ name, peerUrl: peerUrlOf(name) }));
    await start(db, { members, isNew: false }, false);
    await serves(db);
    expect(etcdctl(db, "get", "cilium/x", "--print-value-only")).toBe("1\n");
    expect(list().map(({ hasBegun, peerUrls }) => [hasBegun, peerUrls])).toEqual(
      expect.arrayContaining([[true, [placed(db, peerUrlOf(db.name))]]]),
    );
    const own = list().find(({ peerUrls }) => peerUrls[0]?.includes("db.node"));
    // not by itself: it would end before it can answer; and not until the two have known each other for some seconds
    await eventually(
      "it is taken out",
      () => isDone(() => etcdctl(hub, "member", "remove", own?.id ?? "")),
      30_000,
    );
    await eventually("the hub is alone again, and serves", () => list().length === 1, 10_000);
    await serves(hub);
  }, 90_000);
});
