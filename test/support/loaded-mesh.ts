// In: what each node is to enforce. Out: the rules as a real kernel took them and lists them again, read by the
// interpreter; and the interpreter's verdict on a connection. One network namespace serves all nodes in turn.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { judgeHook } from "../../packages/shared/src/kernel-verdict/judge.ts";
import type { Hook } from "../../packages/shared/src/kernel-verdict/packet.ts";
import { parseRuleset, type Ruleset } from "../../packages/shared/src/kernel-verdict/ruleset.ts";
import type { DesiredContent } from "../../packages/shared/src/model/desired.ts";
import { digestOf } from "../../packages/shared/src/plan/canonical.ts";
import { renderNftables } from "../../packages/shared/src/render/nftables.ts";
import type { Asked } from "./oracle.ts";

export type Loaded = ReadonlyMap<string, Ruleset>;

export class RuleBench {
  readonly #namespace = `weft-m${process.pid}`;
  readonly #folder = mkdtempSync(join(tmpdir(), "weft-model-"));

  constructor() {
    execFileSync("ip", ["netns", "add", this.#namespace]);
  }

  load(contents: ReadonlyMap<string, DesiredContent>, uids: ReadonlyMap<string, number>): Loaded {
    const path = (node: string, end: string) => join(this.#folder, `${node}.${end}`);
    for (const [node, content] of contents)
      writeFileSync(
        path(node, "nft"),
        renderNftables({ content, revision: 1, digest: digestOf(content), uids }),
      );
    const steps = [...contents.keys()].map(
      (node) => `nft -f ${path(node, "nft")} && nft -j list table inet weft > ${path(node, "json")}`,
    );
    execFileSync("ip", ["netns", "exec", this.#namespace, "sh", "-ec", steps.join(" && ")]);
    return new Map(
      [...contents.keys()].map((node) => [node, parseRuleset(readFileSync(path(node, "json"), "utf8"))]),
    );
  }

  down(): void {
    execFileSync("ip", ["netns", "del", this.#namespace]);
    rmSync(this.#folder, { recursive: true });
  }
}

/** A rule or element that spoke. */
export interface Spoke {
  readonly node: string;
  readonly chain: string;
  readonly handle: number;
}

export interface Judgement {
  readonly passes: boolean;
  readonly spoke: readonly Spoke[];
}

function judgeAt(
  loaded: Loaded,
  node: string | undefined,
  hook: Hook,
  asked: Asked,
  uids: ReadonlyMap<string, number>,
  publishedPort?: number,
): Judgement {
  const ruleset = node === undefined ? undefined : loaded.get(node);
  if (ruleset === undefined || node === undefined) return { passes: true, spoke: [] };
  const { source, destination, protocol, port } = asked;
  const { verdict, own } = judgeHook(ruleset, "inet weft", {
    hook,
    source,
    destination,
    protocol,
    port,
    uid: hook === "output" ? uids.get(asked.user) : undefined,
    local: asked.fromNode === asked.toNode,
    publishedPort,
  });
  if (verdict === "unknown") throw new Error(`unknown at ${node} ${hook}: ${own?.why ?? ""}`);
  return {
    passes: verdict === "accept",
    spoke: (own?.path ?? []).map(({ chain, handle }) => ({ node, chain, handle })),
  };
}

/** Every verdict of the three that the oracle gives, by the loaded rules. */
export function judgeLoaded(
  loaded: Loaded,
  asked: Asked,
  uids: ReadonlyMap<string, number>,
  via: string | undefined,
): {
  readonly connect: boolean;
  readonly arrive: boolean;
  readonly forward: boolean;
  readonly published: boolean;
  readonly spoke: readonly Spoke[];
} {
  const out = judgeAt(loaded, asked.fromNode, "output", asked, uids);
  const into = judgeAt(loaded, asked.toNode, "input", asked, uids);
  const through = judgeAt(loaded, via, "forward", { ...asked, toNode: undefined, fromNode: "" }, uids);
  const container = asked.destination.includes(":") ? "fd99::2" : "172.30.9.2";
  const inside = { ...asked, destination: container, port: 80, fromNode: "" };
  const behind =
    asked.protocol === "icmp"
      ? { passes: true, spoke: [] }
      : judgeAt(loaded, asked.toNode, "forward", inside, uids, asked.port);
  return {
    published: behind.passes,
    connect: out.passes && into.passes,
    arrive: into.passes,
    forward: through.passes,
    spoke: [...out.spoke, ...into.spoke, ...through.spoke, ...behind.spoke],
  };
}
