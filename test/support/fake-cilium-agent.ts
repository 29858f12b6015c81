// In: a fake machine's root. Out: a Cilium agent at its socket: what one of 1.18.10 answered, or what a test makes of it.
import { mkdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { dirname, join } from "node:path";

const recorded = join(import.meta.dirname, "../fixtures/cilium-1.18.10");
export const answerOf = (name: string): string => readFileSync(join(recorded, `${name}.json`), "utf8");

type Behaviour = (response: ServerResponse, text: string, request: IncomingMessage) => void;

export class FakeCiliumAgent {
  readonly asked: string[] = [];
  /** For each path: what becomes of the recorded answer. */
  readonly behaviours = new Map<string, Behaviour>();
  readonly #server = createServer((request, response) => {
    this.asked.push(`${request.method} ${request.url} ${request.headers.host}`);
    const name = (request.url ?? "").replace("/v1/", "");
    const behave = this.behaviours.get(name) ?? ((to, text) => void to.end(text));
    behave(response, answerOf(name), request);
  });

  async listen(root: string): Promise<void> {
    const path = `${root}/run/cilium/cilium.sock`;
    mkdirSync(dirname(path), { recursive: true });
    await new Promise<void>((resolve) => this.#server.listen(path, resolve));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
