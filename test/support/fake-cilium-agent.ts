// In: a fake machine's root. Out: a Cilium agent at its socket: what one of 1.18.10 answered, or what a test makes of it.
// Endpoints, addresses and policy files are kept as a real one keeps them; it can hang, end, lose its store and start again.
import { mkdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import { text as textFrom } from "node:stream/consumers";
import { type Answer, FakeEndpoints } from "./cilium/fake-endpoints.ts";
import { FakePolicyEngine } from "./cilium/fake-policy-engine.ts";

const recorded = join(import.meta.dirname, "../fixtures/cilium-1.18.10");
export const answerOf = (name: string): string => readFileSync(join(recorded, `${name}.json`), "utf8");

type Behaviour = (response: ServerResponse, text: string, request: IncomingMessage) => void;

export interface FakeAgentOptions {
  readonly now?: () => number;
  /** As it is on this machine, with the root of a fake one. */
  readonly policies?: string;
}

export class FakeCiliumAgent {
  readonly asked: string[] = [];
  /** What was sent last. */
  sent: unknown;
  /** For each "METHOD path", or path of a GET, without /v1/ and query: what becomes of the answer. */
  readonly behaviours = new Map<string, Behaviour>();
  readonly endpoints: FakeEndpoints;
  readonly engine: FakePolicyEngine | undefined;
  #server: Server | undefined;
  #path = "";

  constructor({ now = Date.now, policies }: FakeAgentOptions = {}) {
    this.endpoints = new FakeEndpoints(now, answerOf("endpoint"));
    if (policies !== undefined) {
      mkdirSync(policies, { recursive: true });
      this.engine = new FakePolicyEngine(policies, now);
    }
  }

  async listen(root: string): Promise<void> {
    this.#path = `${root}/run/cilium/cilium.sock`;
    mkdirSync(dirname(this.#path), { recursive: true });
    this.engine?.start();
    const server = createServer((request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(this.#path, resolve));
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** With the endpoints it can restore. */
  async restart(): Promise<void> {
    await this.close();
    this.endpoints.restart();
    await this.listen(dirname(dirname(dirname(this.#path))));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "" } = request;
    this.asked.push(`${method} ${url} ${request.headers.host}`);
    const body = await textFrom(request);
    if (this.engine !== undefined) {
      this.engine.settle();
      this.endpoints.realise(this.engine.revision);
      // a real one needs 2 s for it, and answers nothing any more
      if (this.engine.ended !== undefined) return void (await this.close());
    }
    const parsed: unknown = body === "" ? undefined : JSON.parse(body);
    if (parsed !== undefined) this.sent = parsed;
    const name = url.replace("/v1/", "").replace(/\?.*/, "");
    const made = this.#made(method, url, name, parsed);
    if (made === "hangs") {
      const owner = (parsed as { "container-id": string })["container-id"];
      response.on("close", () => this.endpoints.rollBack(owner));
      return;
    }
    const text = typeof made.body === "string" && made.body === "" ? "" : JSON.stringify(made.body, null, 2);
    const behave =
      this.behaviours.get(`${method} ${name}`) ?? (method === "GET" ? this.behaviours.get(name) : undefined);
    response.statusCode = made.status;
    if (behave === undefined) response.end(text);
    else behave(response, text, request);
  }

  #made(method: string, url: string, name: string, body: unknown): Answer | "hangs" {
    if (name === "endpoint") return { status: 200, body: this.endpoints.list() };
    if (name === "policy")
      return { status: 200, body: { policy: "[]", revision: this.engine?.revision ?? 1 } };
    if (name === "healthz") return { status: 200, body: this.#health() };
    if (name.startsWith("identity/")) {
      const body = JSON.parse(answerOf("identity")) as { readonly id: number };
      return name === `identity/${body.id}` ? { status: 200, body } : { status: 404, body: "" };
    }
    if (name === "config") return { status: 200, body: JSON.parse(answerOf(name)) };
    return this.endpoints.call(method, url, body);
  }

  #health(): unknown {
    const health = JSON.parse(answerOf("healthz")) as { cilium: unknown; ipam: { allocations: unknown } };
    health.ipam.allocations = Object.fromEntries(this.endpoints.claims);
    if (!this.endpoints.hasStore)
      health.cilium = {
        state: "Failure",
        msg: "1.18.10 (v1.18.10-1d8b9c6b47)    Kvstore service is not ready: away",
      };
    return health;
  }
}
