// In: a directory, and what happens in it. Out: the policies a Cilium agent of 1.18.10 has loaded from there, its revision, and
// whether it has ended over a file: each as the table of file events has it that was seen with a real one.
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { LinuxFiles } from "../../../packages/node-agent/src/host/linux-files.ts";

// what a Go struct takes: unknown names are ignored, another type is an error
const selector = z.object({ matchLabels: z.record(z.string(), z.string()).optional() }).nullish();
const peers = z
  .array(
    z.object({
      fromEndpoints: z.array(selector).optional(),
      toEndpoints: z.array(selector).optional(),
      toPorts: z
        .array(z.object({ ports: z.array(z.object({ port: z.string().optional() })).optional() }))
        .optional(),
    }),
  )
  .optional();
const rule = z.object({
  endpointSelector: selector,
  nodeSelector: selector,
  description: z.string().optional(),
  ingress: peers,
  ingressDeny: peers,
  egress: peers,
  egressDeny: peers,
});
const fileSchema = z.object({
  metadata: z.object({ name: z.string().optional(), namespace: z.string().optional() }).optional(),
  spec: rule.optional(),
  specs: z.array(rule).optional(),
});
export type Loaded = z.infer<typeof fileSchema>;

type Event = { readonly kind: "there" | "gone"; readonly name: string; readonly due: number };

/** It lives that long after a start with a file that ends it, and answers all the while. */
const diesAfterMs = 3_000;

export class FakePolicyEngine {
  readonly loaded = new Map<string, Loaded>();
  readonly log: string[] = [];
  revision = 1;
  /** Why it has ended. */
  ended: string | undefined;
  /** From a change in the directory until the agent sees it. */
  lagMs = 15;
  /** Rules that it finds invalid, beside those that are. */
  refuses: (text: string) => boolean = () => false;
  #dies: { readonly at: number; readonly why: string } | undefined;
  readonly #directory: string;
  readonly #now: () => number;
  #events: Event[] = [];

  constructor(directory: string, now: () => number) {
    this.#directory = directory;
    this.#now = now;
  }

  start(): void {
    this.loaded.clear();
    this.#events = [];
    this.revision = 1;
    this.ended = undefined;
    this.#dies = undefined;
    for (const name of readdirSync(this.#directory).sort()) {
      if (!this.#isRead(name)) continue;
      try {
        this.#load(name, this.#read(name));
      } catch (failure) {
        this.#dies = { at: this.#now() + diesAfterMs, why: `${name}: ${failure}` };
        return;
      }
    }
  }

  happened(kind: Event["kind"], name: string): void {
    if (this.ended === undefined) this.#events.push({ kind, name, due: this.#now() + this.lagMs });
  }

  /** Everything that is due. */
  settle(): void {
    if (this.#dies !== undefined && this.#now() >= this.#dies.at) this.ended = this.#dies.why;
    while (this.ended === undefined) {
      const [event] = this.#events;
      if (event === undefined || event.due > this.#now()) return;
      this.#events.shift();
      if (this.#isRead(event.name)) this.#take(event);
    }
  }

  #take({ kind, name }: Event): void {
    if (kind === "gone") {
      if (this.loaded.delete(name)) this.revision++;
      else this.log.push(`${name}: failed to remove network policy from policy engine`);
      return;
    }
    let read: Loaded;
    try {
      read = this.#read(name);
    } catch (failure) {
      // not there any more, no YAML, or of another type
      this.ended = `${name}: ${failure}`;
      return;
    }
    try {
      this.#load(name, read);
    } catch (failure) {
      this.log.push(`${name}: failed to add network policy to policy engine: ${failure}`);
    }
  }

  #isRead(name: string): boolean {
    if (!name.endsWith(".yaml")) return false;
    if (/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name)) return true;
    this.log.push(`${name}: CNP name parse validation failed`);
    return false;
  }

  #read(name: string): Loaded {
    const [first] = parseAllDocuments(readFileSync(`${this.#directory}/${name}`, "utf8"), {
      logLevel: "silent",
    });
    if (first === undefined || !("contents" in first)) throw new TypeError("no document");
    if (first.errors[0] !== undefined) throw first.errors[0];
    return fileSchema.parse(first.toJS());
  }

  #load(name: string, file: Loaded): void {
    const rules = [...(file.specs ?? []), ...(file.spec === undefined ? [] : [file.spec])];
    if (this.refuses(JSON.stringify(file))) throw new RangeError("invalid rule");
    if (!file.metadata?.name) throw new RangeError("no name");
    if (rules.length === 0) throw new RangeError("no rule");
    for (const each of rules) {
      if (!each.endpointSelector === !each.nodeSelector) throw new RangeError("one selector is needed");
      const text = JSON.stringify(each);
      for (const [, value = ""] of text.matchAll(/"spiffe:[a-z]+":"([^"]*)"/g))
        if (!/^[A-Za-z0-9._-]{0,63}$/.test(value)) throw new RangeError(`invalid label value: ${value}`);
      for (const [, port = ""] of text.matchAll(/"port":"([^"]*)"/g))
        if (Number(port) > 65_535) throw new RangeError(`invalid port ${port}`);
    }
    this.loaded.set(name, file);
    this.revision++;
  }
}

/** The files of a machine, whose agent hears of what happens in its directory of policies. */
export class WatchedFiles extends LinuxFiles {
  readonly #directory: string;
  readonly #engine: () => FakePolicyEngine | undefined;

  constructor(root: string, directory: string, engine: () => FakePolicyEngine | undefined) {
    super(root);
    this.#directory = directory;
    this.#engine = engine;
  }

  #tell(kind: Event["kind"], path: string): void {
    if (dirname(path) === this.#directory) this.#engine()?.happened(kind, basename(path));
  }

  override async write(...[path, ...rest]: Parameters<LinuxFiles["write"]>): Promise<void> {
    await super.write(path, ...rest);
    this.#tell("there", path);
  }

  override async rename(from: string, to: string): Promise<void> {
    await super.rename(from, to);
    this.#tell("gone", from);
    this.#tell("there", to);
  }

  override async remove(path: string): Promise<void> {
    const wasThere = (await this.info(path)) !== undefined;
    await super.remove(path);
    if (wasThere) this.#tell("gone", path);
  }
}
