// In: this machine's sockets. Out: what its Cilium agent says of itself and of its endpoints, and what it is asked to change,
// by its REST API. One call each: who waits, tries again or takes back is the endpoint keeper.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { SocketAnswer, SocketRequest, Sockets } from "../host/host.ts";
import { noAgent, refusal, saidBy, withAdvice } from "./agent-failure.ts";
import type { EndpointWish } from "./endpoint-wish.ts";
import {
  type CiliumConfig,
  type CiliumHealth,
  parseConfig,
  parseHealth,
  parseIdentityLabels,
  parseRevision,
} from "./parse-answers.ts";
import { type CiliumEndpoint, parseEndpoint, parseEndpoints } from "./parse-endpoint.ts";

export const ciliumSocket = "/run/cilium/cilium.sock";

/** An agent needs 0.1 s for an endpoint, 3.7 s for the first one after a cold start, and would hang for 330 s. */
const answerWithinMs = 15_000;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
}

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly why: string };

/** What cannot be done throws a WeftError that says what to do; WEFT-E007: there is no agent to ask. */
export class CiliumClient {
  readonly #sockets: Sockets;
  readonly #timeoutMs: number;

  /** @param timeoutMs of calls that name none */
  constructor(sockets: Sockets, timeoutMs = answerWithinMs) {
    this.#sockets = sockets;
    this.#timeoutMs = timeoutMs;
  }

  async health(options?: CallOptions): Promise<CiliumHealth> {
    return parseHealth(await this.#read("/v1/healthz", options));
  }

  async config(options?: CallOptions): Promise<CiliumConfig> {
    return parseConfig(await this.#read("/v1/config", options));
  }

  async endpoints(options?: CallOptions): Promise<CiliumEndpoint[]> {
    return parseEndpoints(await this.#read("/v1/endpoint", options));
  }

  /** Rises with every policy file that is loaded or unloaded; begins anew when the agent does. */
  async policyRevision(options?: CallOptions): Promise<number> {
    return parseRevision(await this.#read("/v1/policy", options));
  }

  /** What a number stands for; none: no such identity. */
  async identityLabels(identity: number, options?: CallOptions): Promise<readonly string[]> {
    const answer = await this.#ask("GET", `/v1/identity/${identity}`, [200, 404], options);
    return answer.status === 404 ? [] : parseIdentityLabels(answer.body);
  }

  /** Whether it can take endpoints: it calls itself healthy before its datapath is compiled. */
  async hostReady(options?: CallOptions): Promise<Readiness> {
    try {
      const { state, remark } = await this.health(options);
      // what its own health port answers 200 for
      if (state !== "Ok" && state !== "Disabled")
        return { ready: false, why: `it calls itself ${state}${remark === "" ? "" : `: ${remark}`}` };
      const host = (await this.endpoints(options)).find(({ reserved }) => reserved === "host");
      if (host?.state === "ready") return { ready: true };
      return { ready: false, why: `its datapath is not ready: ${host?.state ?? "no host endpoint yet"}` };
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      return { ready: false, why: [failure.message, failure.why].filter(Boolean).join(": ") };
    }
  }

  /** undefined: there is none of that owner. */
  async endpoint(owner: string, options?: CallOptions): Promise<CiliumEndpoint | undefined> {
    const answer = await this.#ask("GET", pathOf(owner), [200, 404], options);
    return answer.status === 404 ? undefined : parseEndpoint(answer.body);
  }

  /** Its address has to be claimed before. The answer may come before it is ready. */
  async putEndpoint(wish: EndpointWish, options?: CallOptions): Promise<CiliumEndpoint> {
    const answer = await this.#ask("PUT", "/v1/endpoint/cilium-local:0", [201], options, {
      // with another state than this one the call was seen to hang
      state: "waiting-for-identity",
      "container-id": wish.owner,
      "container-interface-name": "eth0",
      "interface-name": wish.linkName,
      "interface-index": wish.linkIndex,
      mac: wish.mac,
      "host-mac": wish.hostMac,
      addressing: { ipv4: wish.address, "ipv4-pool-name": pool },
      labels: wish.labels,
      "sync-build-endpoint": true,
      "datapath-configuration": {},
    });
    return parseEndpoint(answer.body);
  }

  /** All of them, instead of those it had; in force about 5 s later. */
  async patchLabels(owner: string, labels: readonly string[], options?: CallOptions): Promise<void> {
    await this.#ask("PATCH", pathOf(owner), [200], options, { state: "waiting-for-identity", labels });
  }

  /** Its address is free then. @returns false when there was none */
  async deleteEndpoint(owner: string, options?: CallOptions): Promise<boolean> {
    // 206: it is gone, although something of it could not be cleared away
    return (await this.#ask("DELETE", pathOf(owner), [200, 206, 404], options)).status !== 404;
  }

  /** Does not expire: whoever claims it and makes no endpoint with it releases it. */
  async claimAddress(ip: string, owner: string, options?: CallOptions): Promise<"claimed" | "taken"> {
    const path = `/v1/ipam/${ip}?owner=${encodeURIComponent(owner)}&pool=${pool}`;
    const answer = await this.#ask("POST", path, [200, 500], options);
    if (answer.status === 200) return "claimed";
    if (saidBy(answer).includes("already allocated")) return "taken";
    throw refusal(`POST ${path}`, answer);
  }

  /** No error when nobody has claimed it; one when an endpoint has it. */
  async releaseAddress(ip: string, options?: CallOptions): Promise<void> {
    await this.#ask("DELETE", `/v1/ipam/${ip}?pool=${pool}`, [200, 404], options);
  }

  async #read(path: string, options: CallOptions | undefined): Promise<string> {
    return (await this.#ask("GET", path, [200], options)).body;
  }

  async #ask(
    method: SocketRequest["method"],
    path: string,
    allow: readonly number[],
    { signal, timeoutMs = this.#timeoutMs }: CallOptions = {},
    body?: unknown,
  ): Promise<SocketAnswer> {
    const answer = await this.#sockets
      .ask(ciliumSocket, { method, path, body, timeoutMs, signal })
      .catch((failure: unknown) => {
        throw withAdvice(failure);
      });
    if (answer === undefined) throw noAgent(ciliumSocket);
    if (allow.includes(answer.status)) return answer;
    throw refusal(`${method} ${path}`, answer);
  }
}

/** The one pool there is without an operator; without its name addresses are neither claimed nor released. */
const pool = "default";

function pathOf(owner: string): string {
  return `/v1/endpoint/container-id:${encodeURIComponent(owner)}`;
}
