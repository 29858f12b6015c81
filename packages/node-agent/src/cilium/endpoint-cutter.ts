// In: the endpoints of this node and the policy maps that their kernel has. Out: established sockets in their namespaces that
// these forbid, ended; the others untouched, and a count. Cilium drops what it forbids of a flow that stands, and leaves its
// ends to their patience. Each node ends what is on it.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import type { DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import { namespaceOf, namespacePath } from "@weft/shared/render/cilium-places";
import { endsKey } from "../cut/flow.ts";
import { endSockets } from "../cut/socket-ender.ts";
import { listSockets } from "../cut/socket-list.ts";
import type { Exec } from "../host/host.ts";
import { SystemdExec } from "../host/systemd-exec.ts";
import type { CutResult, FlowCutter } from "../policy/flow-cutter.ts";
import type { CiliumClient } from "./agent-client.ts";
import { ciliumDbg, readPolicyMap } from "./cilium-dbg.ts";
import { type IdentityOf, parseIpcache } from "./ipcache.ts";
import { type JudgedSockets, judgeSockets } from "./judge-sockets.ts";

export interface EndpointCutterParts {
  readonly client: Pick<CiliumClient, "endpoint">;
  readonly exec: Exec;
  readonly desired: () => Pick<DesiredState, "cilium"> | undefined;
}

/** A namespace begins with the kernel's own choice, whatever the machine's is. */
const ephemeral = { from: 32_768, to: 60_999 };
const nothing: CutResult = { ended: 0, leftUnknown: 0, failed: 0, kept: 0, trouble: [] };

export class EndpointCutter implements FlowCutter {
  readonly #parts: EndpointCutterParts;
  readonly #privileged: SystemdExec;

  constructor(parts: EndpointCutterParts) {
    this.#parts = parts;
    this.#privileged = new SystemdExec(parts.exec);
  }

  async cut(keep: boolean, signal?: AbortSignal): Promise<CutResult> {
    const endpoints = this.#parts.desired()?.cilium?.endpoints ?? [];
    if (endpoints.length === 0) return nothing;
    const { stdout } = await this.#privileged.run(ciliumDbg, ["bpf", "ipcache", "list", "-o", "json"]);
    const identityOf = parseIpcache(stdout);
    let sum = nothing;
    for (const endpoint of endpoints) {
      // a newer state does not wait for all of them
      if (signal?.aborted === true) return { ...sum, again: true };
      sum = added(sum, await this.#cutIn(endpoint, identityOf, keep));
    }
    return sum;
  }

  /** One that is in trouble is told, and the others are looked at. */
  async #cutIn(endpoint: DesiredEndpoint, identityOf: IdentityOf, keep: boolean): Promise<CutResult> {
    try {
      return await this.#cutAt(endpoint, identityOf, keep);
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      const { message, why } = failure;
      return {
        ...nothing,
        again: true,
        trouble: [`${endpoint.service}: ${why === undefined ? message : why}`],
      };
    }
  }

  async #cutAt(endpoint: DesiredEndpoint, identityOf: IdentityOf, keep: boolean): Promise<CutResult> {
    const found = await this.#parts.client.endpoint(namespaceOf(endpoint.service));
    if (found === undefined) return nothing;
    const entries = await readPolicyMap(this.#privileged, found.id);
    const ground = { entries, identityOf, address: endpoint.address, ephemeral };
    const look = async (): Promise<JudgedSockets> => judgeSockets(await listSockets(inside), ground);
    const prefix = [`--net=${namespacePath(endpoint.service)}`, "--"];
    const inside: Exec["run"] = (name, args, options) =>
      this.#privileged.run("nsenter", [...prefix, name, ...args], options);
    const before = await look();
    if (keep || before.forbidden.length === 0)
      return { ...nothing, leftUnknown: before.unknown, kept: before.forbidden.length };
    await endSockets(inside, before.forbidden);
    const after = await look();
    const tried = new Set(before.forbidden.map(endsKey));
    const failed = after.forbidden.filter((ends) => tried.has(endsKey(ends))).length;
    return {
      ...nothing,
      ended: tried.size - failed,
      failed,
      leftUnknown: after.unknown,
      trouble: failed === 0 ? [] : [`${endpoint.service}: their sockets are still there`],
    };
  }
}

function added(a: CutResult, b: CutResult): CutResult {
  return {
    ended: a.ended + b.ended,
    leftUnknown: a.leftUnknown + b.leftUnknown,
    failed: a.failed + b.failed,
    kept: a.kept + b.kept,
    trouble: [...a.trouble, ...b.trouble],
    again: a.again === true || b.again,
  };
}
