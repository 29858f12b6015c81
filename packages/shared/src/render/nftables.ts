// In: what a node is to enforce, the revision it comes from, and the uids of its users. Out: nft scripts. Pure.
// Each script is one transaction for `nft -f`, right on an empty kernel and over any older state of the table: chains
// and policy sets are emptied and filled again, what the kernel recorded stays, and the table is never deleted.
import { WeftError } from "../errors/weft-error.ts";
import type { DesiredContent, DesiredPolicy } from "../model/desired.ts";
import { chains } from "./nftables-chains.ts";
import { policyElements, type UidText } from "./nftables-elements.ts";
import { policySets, recordSets } from "./nftables-table.ts";

export { parseKernelRevision, rulesetFingerprint } from "./nftables-kernel.ts";

export interface RenderInput {
  readonly content: DesiredContent;
  readonly revision: number;
  readonly digest: string;
  /** Of the users named by the content. A user that is missing here is nobody: its ways out are left out. */
  readonly uids: ReadonlyMap<string, number>;
}

/** The highest uid; the one above means "none". */
const maxUid = 0xffff_fffe;
const maxMark = 0xffff_ffff;

export function renderNftables({ content, revision, digest, uids }: RenderInput): string {
  if (!Number.isInteger(revision) || revision < 1 || revision > maxMark)
    throw new WeftError("WEFT-E003", `${revision} is no revision the kernel can carry`);
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new WeftError("WEFT-E003", "the digest is no SHA-256 in hex");
  return script(content, uidTextOf(uids), `${revision} comment "digest=${digest}"`);
}

/** Guards, and every service port closed to everybody: for a boot without rules that can be trusted. */
export function renderGuardsOnly(content: DesiredContent): string {
  const closed = (endpoints: DesiredPolicy["mesh"]) =>
    endpoints.map((item) => ({ ...item, mode: "enforce" as const }));
  const { services, mesh } = content.policy;
  const policy: DesiredPolicy = {
    ...content.policy,
    services: closed(services),
    mesh: closed(mesh),
    ingress: [],
    egress: [],
    forward: [],
    mode: "enforce",
  };
  return script({ ...content, policy }, () => undefined, '0 comment "guards-only"');
}

/**
 * Guards and nothing else: connections are tracked and recorded, and everything passes. The first load on a live
 * machine: a connection older than conntrack looks new in whichever direction its next packet goes.
 */
export function renderTracking(content: DesiredContent): string {
  const identity = { ...content.identity, workloads: [] };
  const policy: DesiredPolicy = {
    ...content.policy,
    services: [],
    mesh: [],
    ingress: [],
    egress: [],
    forward: [],
    guard: { ...content.policy.guard, isCoordinator: false },
  };
  return script({ ...content, identity, policy }, () => undefined, '0 comment "tracking"');
}

/** Takes the table away, if it is there. */
export function renderRemoval(): string {
  return "add table inet weft\ndelete table inet weft\n";
}

/** For people: what the sets will hold, with users by name. Never loaded. */
export function renderPreview(content: DesiredContent): string {
  const elements = policyElements(content, (user) => `uid:${user}`);
  return policySets
    .filter(({ name }) => elements.has(name))
    .map(
      ({ name }) => `set ${name}\n${(elements.get(name) ?? []).map((element) => `  ${element}\n`).join("")}`,
    )
    .join("");
}

function uidTextOf(uids: ReadonlyMap<string, number>): UidText {
  return (user) => {
    const uid = uids.get(user);
    // root can be anybody, so it never stands for a service
    if (uid === undefined || !Number.isInteger(uid) || uid < 1 || uid > maxUid) return undefined;
    return String(uid);
  };
}

function script(content: DesiredContent, uidOf: UidText, rev: string): string {
  const elements = policyElements(content, uidOf);
  const lines = ["add table inet weft"];
  for (const { name, type, interval } of policySets)
    lines.push(`add set inet weft ${name} { type ${type};${interval ? " flags interval;" : ""} }`);
  for (const { name, spec } of recordSets) lines.push(`add set inet weft ${name} { ${spec} }`);
  for (const { name, hook } of chains)
    lines.push(
      hook === undefined
        ? `add chain inet weft ${name}`
        : `add chain inet weft ${name} { type filter hook ${hook} priority filter; policy accept; }`,
    );
  lines.push("flush table inet weft");
  for (const { name } of policySets) lines.push(`flush set inet weft ${name}`);
  for (const { name, rules } of chains)
    for (const rule of rules) lines.push(`add rule inet weft ${name} ${rule}`);
  for (const { name } of policySets) {
    const found = name === "rev" ? [rev] : (elements.get(name) ?? []);
    if (found.length > 0) lines.push(`add element inet weft ${name} {`, `  ${found.join(",\n  ")}`, "}");
  }
  return `${lines.join("\n")}\n`;
}
