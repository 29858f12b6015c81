// `weft-node-agent run`: the agent itself, under systemd. First the last state from disk is put in force, with the
// coordinator or without it; then the stream is opened and kept.
import { describeError, isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import type { NodeFacts } from "@weft/shared/model/facts";
import { Agent } from "../agent.ts";
import { makeExecutors } from "../apply/executors.ts";
import { ComponentStore } from "../components/component-store.ts";
import { NamespaceNetworks } from "../cut/other-networks.ts";
import { dialOnce } from "../dial/dial-once.ts";
import { Dialler, type DialProgram } from "../dial/dialler.ts";
import { observeDnsOwner } from "../dns/owner.ts";
import type { DnsClient } from "../dns/query.ts";
import { rootsPemOf } from "../enrol/trust.ts";
import { collectFacts } from "../facts/collect.ts";
import { readForeignHooks } from "../facts/foreign-hooks.ts";
import { readCpuModel } from "../facts/hardware.ts";
import { probeSocketDestroy } from "../facts/socket-destroy.ts";
import { FloorGate } from "../floor/floor-gate.ts";
import type { Host } from "../host/host.ts";
import { SystemdExec } from "../host/systemd-exec.ts";
import type { HealthProbe } from "../identity/spire-health.ts";
import { SvidWatch } from "../identity/svid-watch.ts";
import { checkDesired, readDesired, writeDesired } from "../link/desired-store.ts";
import { fetchComponentBytes, mintExchange } from "../link/exchange.ts";
import { Link } from "../link/link.ts";
import { NodeIdentity } from "../link/node-identity.ts";
import { CoordinatorReach } from "../link/reach-proof.ts";
import type { Log } from "../log.ts";
import { answerQuestion } from "../observe/answer-question.ts";
import { Observer } from "../observe/observer.ts";
import { DeadMan } from "../policy/dead-man.ts";
import { KernelFlowCutter } from "../policy/flow-cutter.ts";
import { ForeignWatch } from "../policy/foreign-watch.ts";
import { TableMemory } from "../policy/kernel-table.ts";
import { KernelWatch } from "../policy/kernel-watch.ts";
import { LeakWitness } from "../policy/leak-witness.ts";
import { TableRepair } from "../policy/table-repair.ts";
import { CutSection } from "../sections/cut-section.ts";
import { Cuts } from "../sections/cuts.ts";
import { DnsSection } from "../sections/dns-section.ts";
import { IdentitySection } from "../sections/identity-section.ts";
import { PolicySection } from "../sections/policy-section.ts";
import { places } from "../state/places.ts";
import { saveReport } from "../state/saved-report.ts";
import { makeCilium } from "./make-cilium.ts";
import { makeEtcd } from "./make-etcd.ts";

export interface RunParts {
  readonly host: Host;
  readonly log: Log;
  readonly version: string;
  readonly random: () => number;
  readonly dns: DnsClient;
  readonly health: HealthProbe;
  readonly dialProgram: DialProgram;
  readonly signal: AbortSignal;
}

const away = () =>
  new WeftError("WEFT-E500", "the coordinator cannot be reached", {
    hint: "what is in force stays in force; this is tried again",
  });

export async function runAgent(parts: RunParts): Promise<void> {
  const { host, log, signal } = parts;
  const bootId = ((await host.files.readText(places.bootId)) ?? "").trim();
  const identity = await NodeIdentity.load(host, bootId);
  if (identity === undefined)
    throw new WeftError("WEFT-E001", "this machine has not joined a mesh", {
      hint: "paste the line that `weft node add` prints on the coordinator",
    });
  const { node, trustDomain } = identity.enrolment;
  // Filled below: the sections ask through the link, and the link reports for them.
  const links: { link: Link | undefined } = { link: undefined };
  const observer = new Observer({
    host,
    log,
    node,
    streams: () => links.link?.streams ?? 0,
    send: (observation) => links.link?.sendObservation(observation),
    endpoints: () => cilium.monitor.report(),
  });
  const client = () => links.link?.client;

  const components = new ComponentStore(host.files, (wish, abort) => {
    const open = client();
    return open === undefined ? undefined : dataOf(fetchComponentBytes(open, wish, abort));
  });
  const mint = async (abort: AbortSignal) => {
    const open = client();
    if (open === undefined) throw away();
    const roots = identity.bundle?.roots ?? [];
    const svid = await mintExchange(open, { trustDomain, node, roots, now: host.clock.now() }, abort);
    return { certificatePem: svid.chainPem, keyPem: svid.keyPem };
  };
  const reach = new CoordinatorReach({
    freshClient: () => identity.client(true),
    linkedClient: client,
  });
  const memory = new TableMemory();
  const deadMan = new DeadMan(host, reach, memory);
  const spire = { health: parts.health, mint };
  const table = makeExecutors({ host, components, dns: parts.dns, deadMan, spire });
  const identitySection = new IdentitySection(host, table, {
    components,
    health: parts.health,
    rootsPem: () => (identity.bundle === undefined ? "" : rootsPemOf(identity.bundle)),
    canMint: () => client() !== undefined,
  });
  const cutter = new KernelFlowCutter({
    exec: host.exec,
    files: host.files,
    others: new NamespaceNetworks(new SystemdExec(host.exec), host.files),
    canEndSockets: () => probeSocketDestroy(host.exec),
  });
  const witness = new LeakWitness(host);
  const repair = new TableRepair({ host, log, witness, memory, onRepair: () => agent.lookAgain() });
  const foreign = new ForeignWatch({
    host,
    log,
    desired: () => agent.current,
    onFindings: (findings) => {
      agent.conditions.set("foreign", findings);
      agent.lookAgain();
    },
  });
  const watch = new KernelWatch(host, (word) => {
    repair.heard(word);
    // Elements of interval sets are changed without a word of whose they are.
    if (word.acts.length === 0) foreign.heard();
  });
  const svids = new SvidWatch({
    clock: host.clock,
    address: places.spireSocket,
    onChange: () => agent.lookAgain(),
  });
  const floor = new FloorGate(host.files);
  const cilium = makeCilium({
    host,
    log,
    desired: () => agent.current,
    onFindings: (findings) => agent.conditions.set("monitor", findings),
  });
  const dialler = new Dialler({
    exec: host.exec,
    clock: host.clock,
    program: parts.dialProgram,
    content: async () =>
      agent.current === undefined ? undefined : (await floor.admit(agent.current)).policy,
    dial: dialOnce,
  });
  const agent: Agent = new Agent({
    host,
    log,
    node,
    floor,
    cuts: new Cuts(
      new CutSection({ cutter, clock: host.clock, log }),
      new CutSection({ cutter: cilium.cutter, clock: host.clock, log }),
    ),
    policy: new PolicySection({
      host,
      table,
      log,
      watch,
      deadMan,
      repair,
      memory,
      canProve: () => reach.ready,
    }),
    cilium: cilium.section,
    etcd: makeEtcd({ host, log }, components, svids),
    dns: new DnsSection(host, table, parts.dns),
    identity: identitySection,
    keepDesired: (state) => writeDesired(host.files, state),
    nodeSvidExpires: () => identity.svidExpires,
    publish: async (report) => {
      links.link?.sendReport(report);
      await saveReport(host.files, report);
    },
  });
  await startFromDisk(agent, parts, identity);

  const link = new Link({
    identity,
    clock: host.clock,
    random: parts.random,
    log,
    version: parts.version,
    bootId,
    held: () => agent.held,
    facts: withRulesOfNow(
      host,
      once(() =>
        collectFacts(host, {
          dnsOwner: observeDnsOwner,
          cpuModel: readCpuModel,
          components: () => components.facts(),
        }),
      ),
    ),
    onDesired: (state) => {
      checkDesired(state, identity.enrolment);
      agent.conditions.set("wire", []);
      agent.submit(state);
      foreign.heard();
    },
    onBundle: () => agent.lookAgain(),
    onUnreadable: (failure) => {
      agent.conditions.set("wire", [
        {
          code: "POLICY_REFUSED",
          detail: `what the coordinator sent is not taken: ${describeError(failure)}`,
        },
      ]);
      agent.lookAgain();
    },
    onState: (trouble) => {
      agent.conditions.set(
        "link",
        trouble === undefined ? [] : [{ code: "COORDINATOR_AWAY", detail: trouble }],
      );
      if (trouble === undefined) identitySection.retryNow();
      agent.lookAgain();
    },
    onDismissed: (reason) => {
      agent.conditions.set("link", [{ code: "NODE_DISMISSED", detail: `it said: ${reason}` }]);
      agent.lookAgain();
    },
    onAttention: () => observer.attend(),
    answer: (question) => answerQuestion(host, node, question, (asked) => cilium.witness.verdicts(asked)),
    dial: (question) => dialler.answer(question),
  });
  links.link = link;
  // A bug in one of them ends all: systemd starts the agent anew, and the kernel keeps its rules meanwhile.
  const bug = new AbortController();
  const either = AbortSignal.any([signal, bug.signal]);
  await Promise.all(
    [agent, link, watch, repair, witness, foreign, cilium.monitor, observer, svids].map((part) =>
      part.run(either).catch((failure: unknown) => {
        bug.abort();
        throw failure;
      }),
    ),
  );
}

/** A damaged file is said and passed over: the kernel still has what weft-restore loaded. */
async function startFromDisk(agent: Agent, { host, log }: RunParts, identity: NodeIdentity): Promise<void> {
  try {
    const held = await readDesired(host.files);
    if (held === undefined) return;
    checkDesired(held, identity.enrolment);
    agent.submit(held, true);
    await agent.enforcePolicyFromDisk();
  } catch (failure) {
    log.error(describeError(failure));
  }
}

/** Facts cost dozens of processes; they change with a boot, and the agent starts with each. */
function once(collect: () => Promise<NodeFacts>): () => Promise<NodeFacts> {
  let facts: Promise<NodeFacts> | undefined;
  return () => {
    facts ??= collect();
    return facts;
  };
}

/** A firewall may have come since: that is one reading, and told with every new link. */
function withRulesOfNow(host: Host, facts: () => Promise<NodeFacts>): () => Promise<NodeFacts> {
  return async () => {
    const known = await facts();
    try {
      return { ...known, foreignHooks: await readForeignHooks(host) };
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      return known;
    }
  };
}

async function* dataOf(parts: AsyncIterable<{ readonly data: Uint8Array }>): AsyncGenerator<Uint8Array> {
  for await (const { data } of parts) yield data;
}
