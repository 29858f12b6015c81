// In: this machine's sockets. Out: what its Cilium agent says of itself, by its REST API. Reads only: no call that writes.
import { WeftError } from "@weft/shared/errors/weft-error";
import { briefly } from "../host/briefly.ts";
import type { Sockets } from "../host/host.ts";
import {
  type CiliumConfig,
  type CiliumEndpoint,
  type CiliumHealth,
  parseConfig,
  parseEndpoints,
  parseHealth,
} from "./parse-answers.ts";

export const ciliumSocket = "/run/cilium/cilium.sock";

/** Each answers undefined where there is no socket, and throws a WeftError where there is no answer to go by. */
export class CiliumClient {
  readonly #sockets: Sockets;
  readonly #signal: AbortSignal | undefined;

  constructor(sockets: Sockets, signal?: AbortSignal) {
    this.#sockets = sockets;
    this.#signal = signal;
  }

  health(): Promise<CiliumHealth | undefined> {
    return this.#get("/v1/healthz", parseHealth);
  }

  config(): Promise<CiliumConfig | undefined> {
    return this.#get("/v1/config", parseConfig);
  }

  endpoints(): Promise<CiliumEndpoint[] | undefined> {
    return this.#get("/v1/endpoint", parseEndpoints);
  }

  async #get<T>(path: string, parse: (text: string) => T): Promise<T | undefined> {
    const answer = await this.#sockets.get(ciliumSocket, path, this.#signal);
    if (answer === undefined) return undefined;
    if (answer.status !== 200)
      throw new WeftError("WEFT-E004", `GET ${path} at ${ciliumSocket} answered ${answer.status}`, {
        why: briefly(answer.body) || "it says no more",
      });
    return parse(answer.body);
  }
}
