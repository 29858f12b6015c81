// The registry of conditions: the only vocabulary of the status view. Codes are stable; texts are for people.
// A dependant stays quiet while what it depends on stands.

export type Severity = "error" | "warning" | "info";

export interface ConditionKind {
  readonly title: string;
  readonly severity: Severity;
  readonly dependsOn: readonly string[];
  /** What to do. */
  readonly hint: string;
}

export const conditionKinds = {
  COORDINATOR_AWAY: {
    title: "the coordinator cannot be reached",
    severity: "warning",
    dependsOn: [],
    hint: "check that weft-coordinator runs and that port 7443 is open from this node; everything in force stays so",
  },
  NODE_DISMISSED: {
    title: "the coordinator has dismissed this node",
    severity: "error",
    dependsOn: [],
    hint: "its rules stay in force and its identities end; `weft-node-agent leave` undoes everything, then it may join anew",
  },
  POLICY_REFUSED: {
    title: "the kernel refused the rules",
    severity: "error",
    dependsOn: [],
    hint: "the previous rules stay in force; read the detail, then `journalctl -u weft-node-agent`",
  },
  POLICY_REVERTED: {
    title: "the new rules were not confirmed and have undone themselves",
    severity: "error",
    dependsOn: [],
    hint: "the rules before are in force; read the detail, correct the mesh file, and `weft apply` it (the same file again tries once more)",
  },
  POLICY_DRIFTED: {
    title: "the rules in the kernel are not the ones that were confirmed",
    severity: "error",
    dependsOn: [],
    hint: "somebody flushed or edited table inet weft, and the agent cannot put it back: read `journalctl -u weft-node-agent`",
  },
  POLICY_REPAIRED: {
    title: "the rules in the kernel had been changed, and were put back",
    severity: "warning",
    dependsOn: [],
    hint: "find out who flushed or edited table inet weft; shown for a minute after the repair",
  },
  CUT_PARTIAL: {
    title: "not every established flow that is forbidden now could be ended",
    severity: "warning",
    dependsOn: [],
    hint: "new connections are refused all the same; read the detail, and end what is left by restarting its program (docs/cut.md)",
  },
  POLICY_FIGHT: {
    title: "somebody keeps changing Weft's rules, and they are put back again and again",
    severity: "error",
    dependsOn: [],
    hint: "stop the program that the detail names, or have it leave table inet weft alone; ends a minute after the last repair",
  },
  FOREIGN_REFUSES: {
    title: "rules of another program refuse what must work here",
    severity: "error",
    dependsOn: [],
    hint: "allow it there as well: whoever refuses, refuses, and Weft never edits rules of others; `weft-node-agent doctor` lists them all",
  },
  FLOOR_REFUSED: {
    title: "the node's own floor refused a part of it; the rest is in force",
    severity: "warning",
    dependsOn: [],
    hint: "change the mesh file, or, as root on the node, /etc/weft/floor.yaml; if nobody asked for this, see who applied it: `weft history`",
  },
  FLOOR_BROKEN: {
    title: "the node's floor file cannot be trusted",
    severity: "error",
    dependsOn: [],
    hint: "what is in force stays and nothing new is taken; on the node: `weft-node-agent floor check`",
  },
  FLOOR_GONE: {
    title: "the node's floor file was there and is gone",
    severity: "warning",
    dependsOn: [],
    hint: "the coordinator alone now says what this node opens; put /etc/weft/floor.yaml back, or restart weft-node-agent if that is meant",
  },
  USER_MISSING: {
    title: "a service's user does not exist on this node",
    severity: "error",
    dependsOn: [],
    hint: "make the user, or correct `user:` in the mesh file; until then nobody on this node counts as the service",
  },
  USER_UNSAFE: {
    title: "a service's user cannot stand for one service",
    severity: "error",
    dependsOn: [],
    hint: "give the service a static user of its own that is not root and not shared",
  },
  PORT_REFUSED: {
    title: "a service port lies in the range this kernel uses for outgoing connections",
    severity: "error",
    dependsOn: [],
    hint: "move the service below the range, or reserve its port in net.ipv4.ip_local_reserved_ports",
  },
  SPIRE_AGENT_DOWN: {
    title: "the SPIRE agent does not answer",
    severity: "error",
    dependsOn: [],
    hint: "services keep their SVIDs until these expire; read `journalctl -u spire-agent`",
  },
  DNS_DOWN: {
    title: "the node's resolver does not answer",
    severity: "error",
    dependsOn: [],
    hint: "public names still resolve through the upstreams; read `journalctl -u weft-dns`",
  },
  DNS_NOT_TAKEN: {
    title: "the host's resolver was left alone",
    severity: "warning",
    dependsOn: [],
    hint: "set `dns: { mode: file }` for this node if nothing else writes its resolv.conf",
  },
  DNS_DRIFTED: {
    title: "something else changed the host's resolver",
    severity: "warning",
    dependsOn: [],
    hint: "read the detail for who owns it now",
  },
  CILIUM_MISSING: {
    title: "Cilium cannot run here",
    severity: "error",
    dependsOn: [],
    hint: "run `weft-node-agent cilium install ARCHIVE` with the official image there, and install what else the detail names (docs/cilium.md); until then nftables alone enforces, by address",
  },
  CILIUM_DOWN: {
    title: "the Cilium agent is not ready",
    severity: "error",
    dependsOn: ["CILIUM_MISSING"],
    hint: "endpoints that are there stay enforced; read `journalctl -u weft-cilium` and see whether etcd answers",
  },
  CILIUM_PARTIAL: {
    title: "not every service has what it needs to be enforced by Cilium",
    severity: "error",
    dependsOn: ["CILIUM_MISSING"],
    hint: "a service that the detail names stays as it was, under nftables; correct it, and it is tried again",
  },
  CILIUM_UNHEARD: {
    title: "nobody hears what Cilium refuses and lets pass here",
    severity: "warning",
    dependsOn: ["CILIUM_MISSING", "CILIUM_DOWN"],
    hint: "what is enforced does not depend on it; denials and flows of endpoints are UNKNOWN until `cilium-dbg monitor` runs (docs/cilium.md)",
  },
  ETCD_DOWN: {
    title: "the mesh's own etcd is not as it should be",
    severity: "error",
    dependsOn: ["ETCD_ALARM"],
    hint: "endpoints that are there stay enforced; read the detail, and `journalctl -u weft-etcd` on its nodes (docs/etcd.md)",
  },
  ETCD_ALARM: {
    title: "the mesh's own etcd has raised an alarm",
    severity: "error",
    dependsOn: [],
    hint: "NOSPACE: it takes no writes, find out what fills it; CORRUPT: its members differ, take the one that is named out and in again (docs/etcd.md)",
  },
  COMPONENT_MISSING: {
    title: "a component cannot be had",
    severity: "error",
    dependsOn: [],
    hint: "install the components archive on the coordinator's machine: install.sh coordinator --components FILE",
  },
  FACTS_PARTIAL: {
    title: "some facts could not be read",
    severity: "info",
    dependsOn: [],
    hint: "run `weft-node-agent facts` on the node",
  },
  DISK_TROUBLE: {
    title: "a file could not be written",
    severity: "error",
    dependsOn: [],
    hint: "free space or make the file system writable; nothing was half-written",
  },
  BOOTED_PREVIOUS: {
    title: "the machine booted with the rules before the last confirmed ones",
    severity: "warning",
    dependsOn: [],
    hint: "the agent has put the rules right since; look at the disk, then `systemctl restart weft-restore` on the node, or the next boot, ends this",
  },
  BOOTED_GUARDS_ONLY: {
    title: "the machine booted with guard flows only",
    severity: "error",
    dependsOn: [],
    hint: "service ports were closed until the agent had put the rules right; look at the disk, then `systemctl restart weft-restore` on the node, or the next boot, ends this",
  },
  BOOTED_OPEN: {
    title: "the machine booted without any rules",
    severity: "error",
    dependsOn: [],
    hint: "everything was open until the agent had put the rules right; look at the disk, then `systemctl restart weft-restore` on the node, or the next boot, ends this",
  },
  SPIRE_SERVER_AWAY: {
    title: "the SPIRE server cannot be reached",
    severity: "error",
    dependsOn: [],
    hint: "read `journalctl -u spire-server` on the coordinator's machine; running services keep their SVIDs until these expire",
  },
  STORE_FAILING: {
    title: "the coordinator's store cannot be written",
    severity: "error",
    dependsOn: [],
    hint: "free space on its disk (`df -h /var/lib/weft-coordinator`) or make it writable; until then no join, apply or removal is recorded; nodes keep their rules",
  },
  SIGNING_KEY_ENDING: {
    title: "the online signing key ends soon",
    severity: "warning",
    dependsOn: ["SIGNING_KEY_ENDED"],
    hint: "bring the sealed mesh root back and run `weft init` again: it makes a new one",
  },
  SIGNING_KEY_ENDED: {
    title: "the online signing key has expired",
    severity: "error",
    dependsOn: [],
    hint: "bring the sealed mesh root back and run `weft init` again; until then nodes believe no new trust bundle, and nobody can join or come back",
  },
  IDENTITY_FAILING: {
    title: "the coordinator's identity or trust bundle cannot be renewed",
    severity: "error",
    dependsOn: [],
    hint: "read the detail, then `journalctl -u weft-coordinator`; what is in use stays in use until it expires",
  },
  ENTRY_RESERVED: {
    title: "a registration entry claims a reserved SPIFFE ID, or a name of the mesh's etcd",
    severity: "error",
    dependsOn: [],
    hint: "delete the entry: whoever matches its selectors could become a node, the coordinator or a user of the mesh's etcd",
  },
  JOIN_CONFLICT: {
    title: "two machines claim to be one node",
    severity: "error",
    dependsOn: [],
    hint: "find out which machine is the right one, run `weft node add` for the node again, and join only that one",
  },
} as const satisfies Record<string, ConditionKind>;

export type ConditionCode = keyof typeof conditionKinds;

export function isConditionCode(text: string): text is ConditionCode {
  return Object.hasOwn(conditionKinds, text);
}

/** The conditions worth showing: a dependant is left out while its cause stands. Worst first, then by code. */
export function visibleConditions<C extends { readonly code: ConditionCode }>(standing: readonly C[]): C[] {
  const codes = new Set<string>(standing.map((condition) => condition.code));
  const rank: Record<Severity, number> = { error: 0, warning: 1, info: 2 };
  return standing
    .filter((condition) => !conditionKinds[condition.code].dependsOn.some((cause) => codes.has(cause)))
    .sort(
      (a, b) =>
        rank[conditionKinds[a.code].severity] - rank[conditionKinds[b.code].severity] ||
        (a.code < b.code ? -1 : a.code > b.code ? 1 : 0),
    );
}
