// In: nothing. Out: where the agent keeps things on a machine (design: names and places).

export const places = {
  stateRoot: "/var/lib/weft",
  agent: "/var/lib/weft/agent",
  enrolment: "/var/lib/weft/agent/enrolment.json",
  enrolmentKey: "/var/lib/weft/agent/enrolment.key",
  /** Key and chain of the node SVID in one file, so that one rename changes both. */
  nodeSvid: "/var/lib/weft/agent/node-svid.pem",
  /** The last signed trust bundle, as it came. */
  bundle: "/var/lib/weft/agent/bundle.bin",
  pendingRequest: "/var/lib/weft/agent/pending-request.json",
  desired: "/var/lib/weft/agent/desired.json",
  report: "/var/lib/weft/agent/report.json",
  policy: "/var/lib/weft/policy",
  /** A script on its way into the kernel, where nothing has to be proved. */
  loadingPolicy: "/var/lib/weft/policy/loading.nft",
  /** What is armed and not confirmed. Boot ignores it. */
  pendingPolicy: "/var/lib/weft/policy/pending.nft",
  pendingRecord: "/var/lib/weft/policy/pending.json",
  /** The last state that was not confirmed in time, so that it is not tried again by itself. */
  revertedRecord: "/var/lib/weft/policy/reverted.json",
  confirmedPolicy: "/var/lib/weft/policy/confirmed.nft",
  previousPolicy: "/var/lib/weft/policy/previous.nft",
  /** What boot loads when neither of them is whole. */
  guardsOnlyPolicy: "/var/lib/weft/policy/guards-only.nft",
  /** Which of the three weft-restore loaded. */
  restoreFolder: "/run/weft-restore",
  restoreOutcome: "/run/weft-restore/outcome",
  /** What the confirmed file is: generation, revision, digest, fingerprint. */
  confirmedRecord: "/var/lib/weft/policy/confirmed.json",
  configuration: "/etc/weft",
  spireConfig: "/etc/weft/spire/agent.json",
  spireBootstrap: "/etc/weft/spire/bootstrap.pem",
  exchangeCertificate: "/etc/weft/spire/exchange.pem",
  exchangeKey: "/etc/weft/spire/exchange.key",
  spireData: "/var/lib/spire-agent",
  spireSocket: "/run/spire/agent/public/api.sock",
  spireSocketDirectory: "/run/spire/agent/public",
  product: "/opt/weft",
  components: "/opt/weft/components",
  catalogue: "/opt/weft/catalogue.json",
  installer: "/opt/weft/install.sh",
  bootId: "/proc/sys/kernel/random/boot_id",
} as const;

export const unitNames = {
  agent: "weft-node-agent.service",
  restore: "weft-restore.service",
  spireAgent: "spire-agent.service",
  dns: "weft-dns.service",
  coordinator: "weft-coordinator.service",
} as const;
