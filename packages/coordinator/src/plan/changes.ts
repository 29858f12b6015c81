// In: what every node is to be, before and after a change of the mesh file. Out: for each node that is touched, what
// changes there in words and as a diff of what it would render. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { Digest } from "@weft/shared/model/ids";
import { contentDigest } from "@weft/shared/plan/content-digest";
import { renderPreview } from "@weft/shared/render/nftables";
import { unifiedDiff } from "@weft/shared/render/text-diff";
import { ownEtcd } from "../mesh/own-etcd.ts";
import { ciliumSentences } from "./cilium-sentences.ts";
import { ciliumText } from "./cilium-text.ts";
import { etcdSentences } from "./etcd-sentences.ts";
import { etcdText } from "./etcd-text.ts";
import { changedSentences } from "./sentences.ts";

export interface NodeChange {
  readonly node: string;
  readonly words: readonly string[];
  readonly diff: string;
}

type Contents = ReadonlyMap<string, DesiredContent>;

export function planChanges(
  before: Contents,
  after: Contents,
  digestOf: (content: DesiredContent) => Digest = contentDigest,
): NodeChange[] {
  const nodes = [...new Set([...before.keys(), ...after.keys()])].sort((a, b) =>
    a < b ? -1 : a > b ? 1 : 0,
  );
  return nodes.flatMap((node) => {
    const old = before.get(node);
    const now = after.get(node);
    if (old !== undefined && now !== undefined && digestOf(old) === digestOf(now)) return [];
    const diff = unifiedDiff(previewOf(old), previewOf(now), { before: `a/${node}`, after: `b/${node}` });
    return [{ node, words: wordsOf(node, old, now).map((sentence) => `${node}: ${sentence}`), diff }];
  });
}

function wordsOf(node: string, old: DesiredContent | undefined, now: DesiredContent | undefined): string[] {
  if (now === undefined)
    return ["leaves the mesh: its identities end, its name goes, and nobody lets it in any more"];
  const sentences = [
    ...etcdSentences(node, old, now),
    ...ciliumSentences(node, old, now),
    ...changedSentences(old, now),
  ];
  if (old === undefined)
    return [`joins the mesh at ${now.address}; enrol it with: weft node add ${node}`, ...sentences];
  if (sentences.length > 0) return sentences;
  return ["nothing that it lets in or out"];
}

/** Everything a node makes of its content, as text: kernel sets, identities, resolver, zone, etcd and Cilium. */
function previewOf(content: DesiredContent | undefined): string {
  if (content === undefined) return "";
  const { identity, dns } = content;
  return [
    `node ${content.node} ${content.address}\n`,
    renderPreview(content),
    "identities\n",
    ...identity.workloads
      .filter(({ service }) => service !== ownEtcd)
      .map(
        ({ spiffeId, user, unit }) =>
          `  ${spiffeId} unix:user:${user}${unit === undefined ? "" : ` systemd:id:${unit}`}\n`,
      ),
    `resolver ${dns.mode} upstreams ${dns.upstreams.join(" ") || "as found"}\n`,
    `zone ${dns.zone}\n`,
    ...dns.records.map(({ name, type, value }) => `  ${name} ${type} ${value}\n`),
    etcdText(content),
    ciliumText(content),
  ].join("");
}
