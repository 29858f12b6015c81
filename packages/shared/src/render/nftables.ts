// In: what a node is to enforce, the revision it comes from, and the uids of its users. Out: nft scripts. Pure.
// Each script is one transaction for `nft -f`: chains and policy sets are emptied and filled again, what the kernel
// recorded stays, and the table is never deleted.
import { WeftError } from "../errors/weft-error.ts";
import type { DesiredContent, DesiredPolicy } from "../model/desired.ts";
import { policyElements, type UidText } from "./nftables-elements.ts";
import { armScript, confirmScript, directScript, disarmScript, stageScript } from "./nftables-script.ts";
import type { Slot } from "./nftables-slots.ts";
import { policySets } from "./nftables-table.ts";

export {
  type ArmedState,
  parseArmed,
  parseArmedAge,
  parseKernelRevision,
  parseListedTable,
  rulesetFingerprint,
  withoutPassing,
} from "./nftables-kernel.ts";

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

/** In force at once, and whole: what boot loads, and what a machine is given that has no policy yet. */
export function renderNftables({ content, revision, digest, uids }: RenderInput, slot: Slot = "a"): string {
  const rev = revText(revision, digest);
  return directScript(slot, policyElements(content, uidTextOf(uids)), rev);
}

/** Beside the confirmed policy, which is in the other slot; it judges nothing yet. */
export function renderStaging({ content, uids }: RenderInput, slot: Slot): string {
  return stageScript(slot, policyElements(content, uidTextOf(uids)));
}

/** What is staged is in force instead of the confirmed policy until the time is up. */
export function renderArming(digest: string, timeoutMs: number): string {
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1)
    throw new WeftError("WEFT-E003", `${timeoutMs} ms is no time to confirm in`);
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new WeftError("WEFT-E003", "the digest is no SHA-256 in hex");
  return armScript(digest, timeoutMs);
}

/** The confirmed policy is in force again at once. */
export function renderDisarming(): string {
  return disarmScript();
}

/** Refused by the kernel as a whole when the candidate is armed no more. */
export function renderConfirm(
  slot: Slot,
  { revision, digest }: Pick<RenderInput, "revision" | "digest">,
): string {
  return confirmScript(slot, revText(revision, digest));
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
    endpoints: undefined,
    mode: "enforce",
  };
  return directScript(
    "a",
    policyElements({ ...content, policy }, () => undefined),
    '0 comment "guards-only"',
  );
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
    baseline: undefined,
    ping: undefined,
    guard: { ...content.policy.guard, isCoordinator: false },
  };
  return directScript(
    "a",
    policyElements({ ...content, identity, policy }, () => undefined),
    '0 comment "tracking"',
  );
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

function revText(revision: number, digest: string): string {
  if (!Number.isInteger(revision) || revision < 1 || revision > maxMark)
    throw new WeftError("WEFT-E003", `${revision} is no revision the kernel can carry`);
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new WeftError("WEFT-E003", "the digest is no SHA-256 in hex");
  return `${revision} comment "digest=${digest}"`;
}
