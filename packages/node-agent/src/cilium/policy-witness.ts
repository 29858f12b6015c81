// In: a question about a connection. Out: what the policy maps of this node's endpoints say of it, as they are in the kernel now,
// and who listens in their namespaces. Reads only. What cannot be read is unknown, with the reason: never a guess.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import type { EndpointVerdict, KernelQuestion, Listener } from "@weft/shared/model/observation";
import { namespaceOf, namespacePath } from "@weft/shared/render/cilium-places";
import type { Exec, Files } from "../host/host.ts";
import { SystemdExec } from "../host/systemd-exec.ts";
import { UserExec } from "../host/user-exec.ts";
import { namedListeners } from "../observe/parse-sockets.ts";
import type { CiliumClient } from "./agent-client.ts";
import { type AskedEndpoint, askedEndpoints } from "./asked-endpoints.ts";
import { ciliumDbg, readPolicyMap } from "./cilium-dbg.ts";
import { wrong } from "./parse-fields.ts";
import { entryText, judgeMap } from "./policy-map.ts";

export interface WitnessParts {
  readonly client: Pick<CiliumClient, "endpoint">;
  readonly exec: Exec;
  readonly files: Pick<Files, "readText">;
  readonly desired: () => Pick<DesiredState, "address" | "cilium"> | undefined;
}

/** The coordinator waits for 4 s. */
const withinMs = 3_000;

export class PolicyWitness {
  readonly #parts: WitnessParts;
  readonly #privileged: SystemdExec;

  constructor(parts: WitnessParts) {
    this.#parts = parts;
    this.#privileged = new SystemdExec(parts.exec);
  }

  /** None where the connection has no end at an endpoint of this node. */
  verdicts(question: KernelQuestion): Promise<EndpointVerdict[]> {
    const asked = askedEndpoints(this.#parts.desired(), question);
    return Promise.all(asked.map((each) => this.#verdict(each, question)));
  }

  async #verdict(asked: AskedEndpoint, question: KernelQuestion): Promise<EndpointVerdict> {
    const { endpoint, direction } = asked;
    const [judged, listeners] = await Promise.all([
      this.#judged(asked, question).catch(unknownOf),
      direction === "ingress" ? this.#listeners(endpoint.service, question) : undefined,
    ]);
    return { service: endpoint.service, direction, listeners, ...judged };
  }

  async #judged({ endpoint, direction, peer }: AskedEndpoint, { protocol, port }: KernelQuestion) {
    const owner = namespaceOf(endpoint.service);
    const [found, identity] = await Promise.all([
      this.#parts.client.endpoint(owner, { timeoutMs: withinMs }),
      this.#identityOf(peer),
    ]);
    if (found === undefined) return { ...unknown, identity, whyUnknown: `Cilium has no endpoint ${owner}` };
    if (found.address !== endpoint.address)
      return { ...unknown, identity, whyUnknown: `the endpoint ${owner} has another address` };
    const entries = await readPolicyMap(this.#privileged, found.id, { timeoutMs: withinMs });
    const { verdict, entry } = judgeMap(entries, { direction, identity, protocol, port });
    return {
      verdict,
      identity,
      entry: entry === undefined ? "" : entryText(entry),
      whyUnknown: verdict === "unknown" ? "an entry of its policy map demands a proxy or authentication" : "",
    };
  }

  /** By the map that the datapath asks, too. */
  async #identityOf(address: string): Promise<number> {
    const { stdout } = await this.#privileged.run(ciliumDbg, ["bpf", "ipcache", "get", address], {
      timeoutMs: withinMs,
    });
    const [, number] = /^\S+ maps to identity identity=(\d{1,10}) /m.exec(stdout) ?? [];
    if (number === undefined) throw wrong(`it does not say which identity ${address} has`);
    return Number(number);
  }

  async #listeners(
    service: string,
    { protocol, port }: KernelQuestion,
  ): Promise<readonly Listener[] | undefined> {
    if (protocol === "icmp") return undefined;
    const inside = new UserExec(this.#parts.exec, "root", namespacePath(service));
    const tables = [`/proc/self/net/${protocol}`, `/proc/self/net/${protocol}6`];
    try {
      // without IPv6 there is no second one
      const { stdout } = await inside.run("cat", tables, { allow: [0, 1], timeoutMs: withinMs });
      if (!stdout.includes("local_address")) return undefined;
      const passwd = (await this.#parts.files.readText("/etc/passwd")) ?? "";
      return namedListeners(protocol, port, { v4: stdout, v6: "" }, passwd);
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      return undefined;
    }
  }
}

const unknown = { verdict: "unknown", identity: 0, entry: "" } as const;

function unknownOf(failure: unknown) {
  if (!isWeftError(failure)) throw failure;
  const { message, why } = failure;
  return { ...unknown, whyUnknown: why === undefined ? message : `${message}: ${why}` };
}
