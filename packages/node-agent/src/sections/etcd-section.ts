// In: the desired state. Out: this node's member of the mesh's own etcd (etcd/own-member.ts), and the certificate of its agent of
// Cilium, where that is a client of it; or either of them taken away.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import type { DesiredEtcdCluster, EtcdClient } from "@weft/shared/model/desired-etcd";
import { ciliumClientId } from "@weft/shared/model/ids";
import { ciliumUnit } from "@weft/shared/render/cilium-places";
import { ciliumSvidFiles, ciliumSvidFolder, clientsName } from "@weft/shared/render/etcd-places";
import { putFiles } from "../cilium/agent-files.ts";
import { StepBook } from "../cilium/step-book.ts";
import type { Finding } from "../conditions.ts";
import type { OwnMember } from "../etcd/own-member.ts";
import { partInTime } from "../etcd/part-in-time.ts";
import type { Host } from "../host/host.ts";
import { writeSvidFiles } from "../identity/svid-files.ts";
import type { SvidWatch } from "../identity/svid-watch.ts";
import { findingOf, type SectionResult } from "./section.ts";

export interface EtcdParts {
  readonly host: Host;
  readonly svids: Pick<SvidWatch, "want" | "context" | "trouble">;
  readonly member: OwnMember;
}

export class EtcdSection {
  readonly #parts: EtcdParts;
  #parted: string | undefined;

  constructor(parts: EtcdParts) {
    this.#parts = parts;
  }

  /** Before rules that are to come, once: what they cut off is to be no member any more. */
  async beforeRules({ digest, etcdCluster }: DesiredState, signal: AbortSignal): Promise<void> {
    if (this.#parted === digest) return;
    await partInTime(this.#parts.host, etcdCluster, signal);
    if (!signal.aborted) this.#parted = digest;
  }

  async reconcile(desired: DesiredState, signal: AbortSignal): Promise<SectionResult> {
    const { host, svids, member } = this.#parts;
    const { etcdCluster: cluster, node } = desired;
    const own = cluster?.members.find((each) => each.node === node);
    const client = clientOf(desired, cluster);
    svids.want(own !== undefined || client !== undefined);
    const book = new StepBook(host.clock);
    const findings: Finding[] = [];
    /** Neither waits for the other. */
    const attempt = async (part: () => Promise<readonly Finding[]>): Promise<void> => {
      try {
        findings.push(...(await part()));
      } catch (failure) {
        if (signal.aborted || !isWeftError(failure)) throw failure;
        findings.push(findingOf(failure, "ETCD_DOWN"));
      }
    };
    try {
      await attempt(() => this.#client(book, desired, client));
      await attempt(async () => {
        if (cluster !== undefined && own !== undefined)
          return await member.run(book, desired, cluster, own, signal);
        await member.takeDown(book);
        return [];
      });
      signal.throwIfAborted();
    } catch (failure) {
      // a newer state is there, or the agent ends: what was done so far is found by the next look
      if (!signal.aborted) throw failure;
      return { end: "superseded", steps: book.steps, findings: [] };
    }
    return { end: book.steps.length === 0 ? "nothing" : "done", steps: book.steps, findings };
  }

  /** The agent of Cilium waits for its files, and is told by its own section that it does. */
  async #client(
    book: StepBook,
    { trustDomain, node }: DesiredState,
    client: EtcdClient | undefined,
  ): Promise<Finding[]> {
    const { host, svids } = this.#parts;
    const files = ciliumSvidFiles;
    if (client === undefined) {
      if ((await host.files.info(ciliumSvidFolder)) !== undefined)
        await book.do("removeFiles", ciliumSvidFolder, () => host.files.removeTree(ciliumSvidFolder));
      return [];
    }
    const wish = {
      id: ciliumClientId(trustDomain, node),
      dnsNames: [client.name, clientsName],
      files,
      gid: undefined,
    };
    const { bundle, trouble } = await writeSvidFiles(host, book, wish, svids);
    if (bundle !== undefined) await this.#putBundle(book, bundle);
    return trouble === undefined ? [] : [{ code: "CILIUM_DOWN", detail: trouble }];
  }

  /** Read at its start alone. Its own section would start it again, but not as long as the rules are others than wanted. */
  async #putBundle(book: StepBook, bundle: string): Promise<void> {
    const { units } = this.#parts.host;
    let wasActive = false;
    await putFiles(this.#parts.host, book, new Map([[ciliumSvidFiles.bundle, bundle]]), [], async () => {
      wasActive = (await units.state(ciliumUnit)).active === "active";
      await units.stop(ciliumUnit);
    });
    if (wasActive) await book.do("startUnit", ciliumUnit, () => units.start(ciliumUnit));
  }
}

function clientOf(
  { cilium, node }: DesiredState,
  cluster: DesiredEtcdCluster | undefined,
): EtcdClient | undefined {
  if (cilium === undefined || cilium.etcd !== undefined) return undefined;
  return cluster?.clients.find((each) => each.node === node);
}
