// In: the entries the mesh wants and those the SPIRE server has. Out: what to create, update and delete, and what
// is alarming. Pure. Weft's entries are those whose ID begins with "weft."; all others are somebody else's and stay.
import { WeftError } from "@weft/shared/errors/weft-error";
import { reservedBecause } from "./reserved-id.ts";
import type { EntrySelector, FoundEntry, RegistrationEntry } from "./spire-server.ts";

export const ownPrefix = "weft.";

export interface EntryDiff {
  readonly create: readonly RegistrationEntry[];
  readonly update: readonly RegistrationEntry[];
  /** IDs. */
  readonly delete: readonly string[];
}

/** An entry that nobody should have made, found while looking at all of them. */
export interface EntryAlarm {
  readonly id: string;
  readonly spiffeId: string;
  readonly why: string;
}

const textOf = (selector: EntrySelector) => `${selector.type}:${selector.value}`;
const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const byId = (a: { readonly id: string }, b: { readonly id: string }) => compareText(a.id, b.id);

function sameSelectors(a: readonly EntrySelector[], b: readonly EntrySelector[]): boolean {
  const texts = new Set(a.map(textOf));
  const others = new Set(b.map(textOf));
  return texts.size === others.size && [...texts].every((text) => others.has(text));
}

/** Nothing beyond ID, parent and selectors is ever set by Weft: a field somebody set is set back. */
function isPlain(entry: FoundEntry): boolean {
  return (
    !entry.admin &&
    !entry.downstream &&
    !entry.storeSvid &&
    entry.x509SvidTtlSeconds === 0 &&
    entry.jwtSvidTtlSeconds === 0 &&
    entry.expiresAt === 0 &&
    entry.hint === "" &&
    entry.dnsNames.length === 0 &&
    entry.federatesWith.length === 0
  );
}

function isAsWanted(found: FoundEntry, wanted: RegistrationEntry): boolean {
  return (
    found.spiffeId === wanted.spiffeId &&
    found.parentId === wanted.parentId &&
    sameSelectors(found.selectors, wanted.selectors) &&
    isPlain(found)
  );
}

function refuseUnfit(wanted: readonly RegistrationEntry[]): void {
  const seen = new Set<string>();
  for (const entry of wanted) {
    const reserved = reservedBecause(entry.spiffeId);
    if (reserved !== undefined)
      throw new WeftError("WEFT-E203", `no registration entry may have the SPIFFE ID ${entry.spiffeId}`, {
        why: `${reserved[0]?.toUpperCase() ?? ""}${reserved.slice(1)}.`,
        hint: "give the service another `spiffe:` path in the mesh file",
      });
    if (!entry.id.startsWith(ownPrefix)) throw new Error(`entry ${entry.id} lacks the prefix ${ownPrefix}`);
    if (entry.selectors.length === 0) throw new Error(`entry ${entry.id} has no selectors`);
    if (seen.has(entry.id)) throw new Error(`entry ${entry.id} is wanted twice`);
    seen.add(entry.id);
  }
}

export function diffEntries(wanted: readonly RegistrationEntry[], found: readonly FoundEntry[]): EntryDiff {
  refuseUnfit(wanted);
  const own = new Map(found.filter(({ id }) => id.startsWith(ownPrefix)).map((entry) => [entry.id, entry]));
  const wantedIds = new Set(wanted.map(({ id }) => id));
  return {
    create: wanted.filter(({ id }) => !own.has(id)).sort(byId),
    update: wanted
      .filter((entry) => {
        const present = own.get(entry.id);
        return present !== undefined && !isAsWanted(present, entry);
      })
      .sort(byId),
    delete: [...own.keys()].filter((id) => !wantedIds.has(id)).sort(compareText),
  };
}

export function isEmptyDiff(diff: EntryDiff): boolean {
  return diff.create.length === 0 && diff.update.length === 0 && diff.delete.length === 0;
}

/** Looks at every entry, foreign ones above all: whoever matches one of these becomes what it names. */
export function auditEntries(found: readonly FoundEntry[]): EntryAlarm[] {
  return found
    .flatMap((entry) => {
      const reasons = [
        reservedBecause(entry.spiffeId),
        entry.admin ? "its holder may administer the SPIRE server" : undefined,
        entry.downstream ? "its holder may run a certificate authority of its own" : undefined,
      ].filter((reason) => reason !== undefined);
      return reasons.length === 0
        ? []
        : [{ id: entry.id, spiffeId: entry.spiffeId, why: reasons.join("; ") }];
    })
    .sort(byId);
}
