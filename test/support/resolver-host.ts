// A node for tests of the resolver's takeover: real files below a temporary directory, scripted answers of weft-dns, the
// upstream and getent, and time that passes by waiting. Healthy unless a test breaks it.
import { lstatSync, mkdirSync, readFileSync, readlinkSync } from "node:fs";
import { originalPath } from "../../packages/node-agent/src/dns/original.ts";
import type { DnsAnswer, DnsClient } from "../../packages/node-agent/src/dns/query.ts";
import { TakeResolver } from "../../packages/node-agent/src/dns/take-resolver.ts";
import type { Files, Host } from "../../packages/node-agent/src/host/host.ts";
import { FakeHost } from "./fake-host.ts";

const zone = "mesh.internal";
const probe = "web1.node.mesh.internal";
export const takeArgs = { mode: "file", zone, upstreams: ["192.0.2.53"], probe } as const;
const { signal } = new AbortController();
export const answered = (value?: string, code: "NOERROR" | "SERVFAIL" = "NOERROR"): DnsAnswer => ({
  kind: "answer",
  message: {
    id: 1,
    code,
    truncated: false,
    question: undefined,
    answers: value === undefined ? [] : [{ name: probe, type: "A", value }],
  },
});
export const silent: DnsAnswer = { kind: "silent", why: "nobody there" };

/** weft-dns and the upstream answer, and getent asks the first server of resolv.conf. */
export class ResolverHost {
  readonly fake: FakeHost;
  readonly host: Host;
  readonly path: string;
  resolver = answered("10.77.0.11");
  resolverRoot = answered();
  upstream = answered();
  getent = (name: string): string =>
    name === probe && this.text()?.includes("nameserver 127.0.0.153\n") === true
      ? "10.77.0.11 STREAM web1\n"
      : "";

  constructor(makeFiles?: (root: string) => Files) {
    this.fake = new FakeHost(makeFiles);
    this.path = `${this.fake.root}/etc/resolv.conf`;
    mkdirSync(`${this.fake.root}/etc`);
    let now = 0;
    const clock = {
      now: () => new Date(now),
      sleep: async (ms: number) => {
        now += ms;
      },
    };
    const { files, exec, units, sockets } = this.fake;
    this.host = { files, exec, units, sockets, clock };
    this.fake.exec.programs.set("getent", (given) => {
      const stdout = this.getent(given[1] ?? "");
      return { code: stdout === "" ? 2 : 0, stdout };
    });
  }

  readonly client: DnsClient = {
    ask: async (server, name, type) => {
      if (server !== "127.0.0.153") return this.upstream;
      if (name === "") return this.resolverRoot;
      return type === "A" ? this.resolver : answered();
    },
  };

  take() {
    return new TakeResolver(this.host, this.client).apply(takeArgs, signal);
  }

  text(): string | undefined {
    return lstatSync(this.path, { throwIfNoEntry: false }) === undefined
      ? undefined
      : readFileSync(this.path, "latin1");
  }

  /** All that must come back. */
  snapshot() {
    const info = lstatSync(this.path, { throwIfNoEntry: false });
    if (info === undefined) return "missing";
    if (info.isSymbolicLink()) return `link ${readlinkSync(this.path)}`;
    return `${(info.mode & 0o7777).toString(8)} ${info.uid}:${info.gid} ${readFileSync(this.path, "hex")}`;
  }

  recorded(): boolean {
    return lstatSync(`${this.fake.root}${originalPath}`, { throwIfNoEntry: false }) !== undefined;
  }
}

/** Files of a process that dies: after `left` changes every further one fails. */
export function dying(files: Files, mortal: { left: number }): Files {
  const changes = new Set(["write", "rename", "symlink", "remove", "removeTree", "makeDirectory"]);
  return new Proxy(files, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return async (...given: unknown[]) => {
        if (changes.has(String(name)) && mortal.left-- <= 0) throw new Error("the process died");
        return await method.apply(target, given);
      };
    },
  });
}
