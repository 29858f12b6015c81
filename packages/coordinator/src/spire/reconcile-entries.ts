// In: the entries the mesh wants and those the SPIRE server has. Out: what to create, update and delete, and what
// is alarming. Pure. Weft's entries are those whose ID begins with "weft."; all others are somebody else's and stay.
import { WeftError } from "@weft/shared/errors/weft-error";
import { etcdNames, isEtcdEntry, isNameFor, sameNames, sameSelectors } from "./etcd-entry.ts";
import { reservedBecause } from "./reserved-id.ts";
import type { FoundEntry, RegistrationEntry } from "./spire-server.ts";

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

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const byId = (a: { readonly id: string }, b: { readonly id: string }) => compareText(a.id, b.id);

/** Nothing beyond ID, parent, selectors and DNS names is ever set by Weft: a field somebody set is set back. */
function isPlain(entry: FoundEntry): boolean {
  return (
    !entry.admin &&
    !entry.downstream &&
    !entry.storeSvid &&
    entry.x509SvidTtlSeconds === 0 &&
    entry.jwtSvidTtlSeconds === 0 &&
    entry.expiresAt === 0 &&
    entry.hint === "" &&
    entry.federatesWith.length === 0
  );
}

function isAsWanted(found: FoundEntry, wanted: RegistrationEntry): boolean {
  return (
    found.spiffeId === wanted.spiffeId &&
    found.parentId === wanted.parentId &&
    sameSelectors(found.selectors, wanted.selectors) &&
    sameNames(found.dnsNames, wanted.dnsNames) &&
    isPlain(found)
  );
}

function refuseUnfit(wanted: readonly RegistrationEntry[]): void {
  const seen = new Set<string>();
  for (const entry of wanted) {
    const reserved = isEtcdEntry(entry) ? undefined : reservedBecause(entry.spiffeId);
    if (reserved !== undefined)
      throw new WeftError("WEFT-E203", `no registration entry may have the SPIFFE ID ${entry.spiffeId}`, {
        why: `${reserved[0]?.toUpperCase() ?? ""}${reserved.slice(1)}.`,
        hint: "give the service another `spiffe:` path in the mesh file",
      });
    if (!entry.id.startsWith(ownPrefix)) throw new Error(`entry ${entry.id} lacks the prefix ${ownPrefix}`);
    if (entry.dnsNames !== undefined && !isEtcdEntry(entry))
      throw new Error(`entry ${entry.id} has DNS names`);
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
  const names = etcdNames(found);
  return found
    .flatMap((entry) => {
      const isOfEtcd = isEtcdEntry(entry);
      const taken = isOfEtcd
        ? undefined
        : names.find((host) => entry.dnsNames.some((name) => isNameFor(name, host)));
      const reasons = [
        isOfEtcd ? undefined : reservedBecause(entry.spiffeId),
        taken === undefined ? undefined : `in the mesh's etcd its holder is ${taken}`,
        entry.admin ? "its holder may administer the SPIRE server" : undefined,
        entry.downstream ? "its holder may run a certificate authority of its own" : undefined,
      ].filter((reason) => reason !== undefined);
      return reasons.length === 0
        ? []
        : [{ id: entry.id, spiffeId: entry.spiffeId, why: reasons.join("; ") }];
    })
    .sort(byId);
}
