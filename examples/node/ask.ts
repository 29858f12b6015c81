// In: a URL, the exact SPIFFE ID its server must prove, and how to connect. Out: one answer, with the ID that was
// proved; or an Error whose message is one plain sentence.
import { Agent, type RequestOptions, request } from "node:https";
import type { TLSSocket } from "node:tls";
import { formatSpiffeId } from "@weft/shared/spiffe/spiffe-id";
import { clientOptions, peerOfSocket } from "@weft/shared/spiffe/tls-contexts";
import type { X509Source } from "@weft/shared/spiffe/x509-source";

export interface Question {
  readonly url: URL;
  /** The SPIFFE ID the server must prove. */
  readonly expect: string;
  readonly timeoutMs: number;
}

/** How requests travel: each over a connection of its own, or all over the one connection of an agent. */
export type Way = Pick<
  RequestOptions,
  "agent" | "checkServerIdentity" | "cert" | "key" | "ca" | "minVersion"
>;

/** To be taken anew for each request, so that it shows the newest certificate. */
export function freshConnection(source: X509Source, expect: string): Way {
  return { ...clientOptions(source, expect), agent: false };
}

/** The check of the peer belongs to the agent: Node reuses no connection whose request brought its own. */
export function oneConnection(source: X509Source, expect: string): Way & { readonly agent: Agent } {
  return { agent: new Agent({ ...clientOptions(source, expect), keepAlive: true, maxSockets: 1 }) };
}

export interface Answer {
  readonly status: number;
  readonly peer: string;
  /** Parsed, if it is JSON. */
  readonly body: unknown;
  /** The connection it came over. */
  readonly socket: TLSSocket;
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export async function ask(question: Question, way: Way): Promise<Answer> {
  const { url, timeoutMs } = question;
  const expired = Object.assign(new Error("the time is over"), { code: "ETIMEDOUT" });
  // Node gives each of several addresses a quarter of a second: too little for a busy machine.
  const options = { ...way, autoSelectFamilyAttemptTimeout: Math.ceil(timeoutMs / 3) };
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, options);
    const timer = setTimeout(() => outgoing.destroy(expired), timeoutMs);
    outgoing.on("error", reject);
    outgoing.on("close", () => clearTimeout(timer));
    outgoing.on("response", (incoming) => {
      const socket = incoming.socket as TLSSocket;
      const peer = peerOfSocket(socket);
      let text = "";
      incoming.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      incoming.on("error", reject);
      incoming.on("end", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          peer: peer === undefined ? "" : formatSpiffeId(peer.id),
          body: parseBody(text),
          socket,
        }),
      );
    });
    outgoing.end();
  });
}
