// A kernel for tests, as far as nft scripts of ours go: which policy it has confirmed, which is armed beside it, until
// when. In: calls of nft. Out: what nft would print.
import type { ExecOptions, ExecResult } from "../../packages/node-agent/src/host/host.ts";
import { renderDisarming } from "../../packages/shared/src/render/nftables.ts";
import { parseScriptHeader } from "../../packages/shared/src/render/nftables-script-header.ts";

interface Carried {
  readonly slot: string;
  readonly revision: number;
  readonly digest: string;
}

export class PolicyKernel {
  /** undefined: no table. */
  confirmed: Carried | undefined;
  #armed:
    | { readonly slot: string; readonly digest: string; readonly until: number; readonly timeoutMs: number }
    | undefined;
  /** The slot of the candidate the base chains ask `armed` about. */
  #staged: string | undefined;
  /** What somebody else's hand did to the table. */
  #foreign = "";
  #inSlot = "";
  readonly #now: () => number;
  readonly #readText: (path: string) => Promise<string | undefined>;

  constructor(now: () => number, readText: (path: string) => Promise<string | undefined>) {
    this.#now = now;
    this.#readText = readText;
  }

  /** The digest of the policy that judges a packet now. */
  get judging(): string | undefined {
    return this.armed?.digest ?? this.confirmed?.digest;
  }

  get armed() {
    return this.#armed !== undefined && this.#armed.until > this.#now() ? this.#armed : undefined;
  }

  get isClean(): boolean {
    return this.#staged === undefined && this.#foreign === "";
  }

  /** A full load mends it. */
  tamperSlot(what: string): void {
    this.#inSlot = what;
  }

  tamper(what: string): void {
    this.#foreign = what;
  }

  async nft(args: readonly string[], { input }: ExecOptions): Promise<Partial<ExecResult>> {
    if (args[0] === "-j") return args[2] === "set" ? this.#listSet(args[5]) : this.#listTable();
    if (args[0] === "list") return this.#listArmed();
    if (args[0] === "-c") return {};
    const text = input ?? (await this.#readText(args.at(-1) ?? "")) ?? "";
    return this.#load(text) ? {} : { code: 1, stderr: "Error: No such file or directory" };
  }

  #load(text: string): boolean {
    const arming = /ipv4 timeout (\d+)ms comment "digest=(\w+)"/.exec(text);
    if (arming !== null) {
      const timeoutMs = Number(arming[1]);
      const until = this.#now() + timeoutMs;
      this.#armed = { slot: this.#staged ?? "", digest: arming[2] ?? "", until, timeoutMs };
      return true;
    }
    const staging = /@armed goto (\w)_input/.exec(text)?.[1];
    if (staging !== undefined) {
      this.#staged = staging;
      this.#armed = undefined;
      return true;
    }
    if (text === renderDisarming()) {
      this.#armed = undefined;
      return true;
    }
    if (text.startsWith("delete element inet weft armed")) {
      if (this.armed === undefined) return false;
      const rev = /rev \{\n {2}(\d+) comment "digest=(\w+)"/.exec(text);
      this.confirmed = { slot: this.armed.slot, revision: Number(rev?.[1]), digest: rev?.[2] ?? "" };
    } else {
      const header = parseScriptHeader(text);
      if (header === undefined) return false;
      this.confirmed = header;
      this.#inSlot = "";
    }
    this.#armed = undefined;
    this.#staged = undefined;
    this.#foreign = "";
    return true;
  }

  #listTable(): Partial<ExecResult> {
    if (this.confirmed === undefined) return { code: 1, stderr: "Error: No such file or directory" };
    const { slot } = this.confirmed;
    const staged = this.#staged === undefined ? "" : `staged ${this.#staged}`;
    const rule = { chain: "input", expr: [{ goto: { target: `${slot}_input` } }, staged, this.#foreign] };
    const inSlots = ["a", "b"].map((name) => ({ rule: { chain: `${name}_input`, expr: [this.#inSlot] } }));
    const nftables = [this.#set("rev"), this.#set("armed"), { rule }, ...inSlots];
    return { stdout: JSON.stringify({ nftables }) };
  }

  #listSet(name: string | undefined): Partial<ExecResult> {
    if (this.confirmed === undefined) return { code: 1, stderr: "Error: No such file or directory" };
    return { stdout: JSON.stringify({ nftables: [this.#set(name)] }) };
  }

  /** As nft prints it for people: times to the millisecond. */
  #listArmed(): Partial<ExecResult> {
    const { armed } = this;
    const until = armed === undefined ? "" : `${armed.timeoutMs}ms expires ${armed.until - this.#now()}ms`;
    return { stdout: armed === undefined ? "" : `elements = { ipv4 timeout ${until} }` };
  }

  #set(name: string | undefined) {
    const { confirmed, armed } = this;
    const element = (val: unknown, digest: string, more = {}) => ({
      elem: { val, ...more, comment: `digest=${digest}` },
    });
    const isRevision = name === "rev" && confirmed !== undefined;
    const revision = isRevision ? [element(confirmed.revision, confirmed.digest)] : [];
    const waiting = armed === undefined ? [] : [element("ipv4", armed.digest, { expires: 1 })];
    return name === "armed"
      ? { set: { name, flags: ["timeout"], elem: waiting } }
      : { set: { name, elem: revision } };
  }
}
