// In: a fake machine. Out: the same with what systemd, ip and nft do there about namespaces of services, in as many words as
// the agent uses; one list of all that was changed, in order; and any of it refused when a test wants so.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecResult } from "../../../packages/node-agent/src/host/host.ts";
import { WeftError } from "../../../packages/shared/src/errors/weft-error.ts";
import { dropInFile, endpointFile } from "../../../packages/shared/src/render/cilium-places.ts";
import { endpointsTable } from "../../../packages/shared/src/render/endpoints-table.ts";
import type { FakeHost } from "../fake-host.ts";

const namespaceName = /^weft-netns@(?<service>.+)\.service$/;

interface FakeLink {
  index: number;
  isUp: boolean;
  /** Its other end is in a namespace. */
  isPaired: boolean;
}

export class EndpointMachine {
  /** "restart api.service", "write /etc/...", "nft -f -", "PUT /v1/...". */
  readonly events: string[] = [];
  /** Events that fail, every time. */
  readonly failing = new Set<string>();
  /** Before each of them is done. */
  onEvent: ((event: string) => void) | undefined;
  /** The ends outside, by their names. */
  readonly links = new Map<string, FakeLink>();
  /** Of the ends inside, by service. */
  readonly insideAddresses = new Map<string, string>();
  /** What `systemctl show` says of a unit beside its state. */
  readonly users = new Map<string, string>();
  /** Where a unit's process runs: in a namespace's file, or "machine". */
  readonly networks = new Map<string, string>();
  /** The link that has the node's address. */
  nodeLink: { readonly ifname: string; readonly mtu: number } | undefined = { ifname: "eth0", mtu: 1500 };
  /** As `nft list table ip weft_endpoints` shows it. */
  table: string | undefined;
  /** Drop-ins as systemd has read them, by unit. */
  readonly #read = new Map<string, string | undefined>();
  readonly #host: FakeHost;
  #nextIndex = 31;

  constructor(host: FakeHost) {
    this.#host = host;
    this.#hearUnits();
    this.#hearFiles();
    this.#hearSockets();
    host.exec.programs.set("ip", (args) => this.#ip(args.join(" ")));
    host.exec.programs.set("nft", (args, { input = "" }) => this.#nft(args.join(" "), input));
    host.exec.programs.set("systemctl", (args) => this.#show(args.at(-1) ?? ""));
  }

  /** A service's unit as the operator installed it. */
  addUnit(unit: string, user: string, active = "active"): void {
    this.users.set(unit, user);
    this.networks.set(unit, "machine");
    this.#host.units.states.set(unit, { active, enabled: true, exists: true });
  }

  /** The events that match, each as the part that did. */
  seen(pattern: RegExp): string[] {
    return this.events.flatMap((event) => pattern.exec(event)?.[0] ?? []);
  }

  #act(event: string): void {
    this.onEvent?.(event);
    this.events.push(event);
    if (this.failing.has(event)) throw new WeftError("WEFT-E402", `${event} failed`, { why: "it is broken" });
  }

  #hearUnits(): void {
    const { units } = this.#host;
    for (const verb of ["enable", "disable", "start", "restart", "stop", "reloadUnit"] as const) {
      const act = units[verb].bind(units);
      units[verb] = async (unit) => {
        this.#act(`${verb} ${unit}`);
        await act(unit);
        await this.#happened(verb, unit);
      };
    }
    const reload = units.reload.bind(units);
    units.reload = async () => {
      this.#act("reload");
      await reload();
      for (const unit of this.users.keys()) this.#read.set(unit, await this.#dropIn(unit));
    };
  }

  #hearFiles(): void {
    const { files } = this.#host;
    const { write, remove, removeTree } = files;
    files.write = async (path, ...rest) => {
      this.#act(`write ${path}`);
      await write.call(files, path, ...rest);
    };
    files.remove = async (path) => {
      this.#act(`remove ${path}`);
      await remove.call(files, path);
    };
    files.removeTree = async (path) => {
      this.#act(`remove ${path}`);
      await removeTree.call(files, path);
    };
  }

  #hearSockets(): void {
    const { sockets } = this.#host;
    const ask = sockets.ask.bind(sockets);
    sockets.ask = (socket, request) => {
      if (request.method !== "GET") this.#act(`${request.method} ${request.path}`);
      return ask(socket, request);
    };
  }

  async #happened(verb: string, unit: string): Promise<void> {
    const service = namespaceName.exec(unit)?.groups?.["service"];
    if (service !== undefined) await this.#namespace(verb, service);
    else if (this.users.has(unit) && (verb === "start" || verb === "restart"))
      this.networks.set(unit, this.#networkOf(unit));
  }

  #networkOf(unit: string): string {
    return /^NetworkNamespacePath=(.*)$/m.exec(this.#read.get(unit) ?? "")?.[1] ?? "machine";
  }

  /** As weft-netns, and Requires= of the unit that was moved. */
  async #namespace(verb: string, service: string): Promise<void> {
    const { files, units } = this.#host;
    const path = `/run/netns/weft-${service}`;
    const text = (await files.readText(endpointFile(service))) ?? "";
    const [link, address] = ["LINK", "ADDRESS"].map(
      (key) => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1],
    );
    if (verb === "stop" || verb === "restart") {
      rmSync(join(this.#host.root, path), { force: true });
      this.insideAddresses.delete(service);
      if (link !== undefined) this.links.delete(link);
    }
    if (verb !== "stop" && link !== undefined && address !== undefined) {
      mkdirSync(join(this.#host.root, "/run/netns"), { recursive: true });
      writeFileSync(join(this.#host.root, path), "");
      this.insideAddresses.set(service, address);
      if (!this.links.has(link))
        this.links.set(link, { index: this.#nextIndex++, isUp: false, isPaired: true });
    }
    if (verb !== "stop" && verb !== "restart") return;
    for (const unit of this.users.keys())
      if (this.#networkOf(unit) === path && (await units.state(unit)).active === "active")
        await units[verb](unit);
  }

  #ip(call: string): Partial<ExecResult> {
    const asked = /^-json (?<what>-4 address|link) show (?:dev|to) (?<name>\S+)$/.exec(call)?.groups;
    if (asked?.["what"] === "-4 address")
      return { stdout: JSON.stringify(this.nodeLink === undefined ? [] : [this.nodeLink]) };
    const name = asked?.["name"] ?? /^link set dev (\S+) up$/.exec(call)?.[1] ?? "";
    const link = this.links.get(name);
    if (asked === undefined) this.#act(`ip ${call}`);
    if (link === undefined) return { code: 1, stderr: `Device "${name}" does not exist.` };
    if (asked === undefined) link.isUp = true;
    const { index, isUp, isPaired } = link;
    const flags = ["BROADCAST", "MULTICAST", ...(isUp ? ["UP", "LOWER_UP"] : [])];
    const shown = { ifindex: index, ifname: name, flags, ...(isPaired ? { link_netnsid: 0 } : {}) };
    return { stdout: JSON.stringify([shown]) };
  }

  #nft(call: string, input: string): Partial<ExecResult> {
    if (call === `list table ${endpointsTable}`)
      return this.table === undefined
        ? { code: 1, stderr: "Error: No such file or directory" }
        : { stdout: this.table };
    // rules of Cilium's agent: as on a machine whose iptables nft does not know
    if (call.startsWith("list chain ip nat ")) return { code: 1, stderr: "Error: No such file or directory" };
    this.#act(`nft ${call}`);
    const begin = input.indexOf(`table ${endpointsTable} {`);
    this.table = begin < 0 ? undefined : input.slice(begin);
    return {};
  }

  async #show(unit: string): Promise<Partial<ExecResult>> {
    const { active, exists } = await this.#host.units.state(unit);
    const isBehind = this.users.has(unit) && (await this.#dropIn(unit)) !== this.#read.get(unit);
    const shown = {
      LoadState: exists ? "loaded" : "not-found",
      ActiveState: active,
      User: this.users.get(unit) ?? "",
      NeedDaemonReload: isBehind ? "yes" : "no",
    };
    return {
      stdout: `${Object.entries(shown)
        .map((pair) => pair.join("="))
        .join("\n")}\n`,
    };
  }

  #dropIn(unit: string): Promise<string | undefined> {
    return this.#host.files.readText(dropInFile(unit));
  }
}
