// In: a server, a name and a type. Out: what the server answered, or why it did not. The edge to the network.
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { isWeftError, messageOf } from "@weft/shared/errors/weft-error";
import { familyOf } from "@weft/shared/model/address";
import { type DnsMessage, decodeResponse, encodeQuery, type QueryType, typeNumbers } from "./message.ts";

export type DnsAnswer =
  | { readonly kind: "answer"; readonly message: DnsMessage }
  | { readonly kind: "silent"; readonly why: string };

export interface DnsClient {
  /** One question, one try. Silence is an answer of its own, never an error. */
  ask(server: string, name: string, type: QueryType, timeoutMs: number): Promise<DnsAnswer>;
}

export class UdpDnsClient implements DnsClient {
  readonly #port: number;

  constructor(port = 53) {
    this.#port = port;
  }

  ask(server: string, name: string, type: QueryType, timeoutMs: number): Promise<DnsAnswer> {
    const id = randomInt(0x1_0000);
    const query = encodeQuery(id, name, type);
    return new Promise((resolve) => {
      const socket = createSocket(familyOf(server) === 4 ? "udp4" : "udp6");
      const finish = (answer: DnsAnswer) => {
        clearTimeout(timer);
        socket.removeAllListeners();
        // a late error of a closed socket has nobody left to tell
        socket.on("error", () => {});
        socket.close();
        resolve(answer);
      };
      const silent = (why: unknown) => finish({ kind: "silent", why: messageOf(why) });
      const timer = setTimeout(() => silent(`${server} did not answer within ${timeoutMs} ms`), timeoutMs);
      socket.once("error", silent);
      socket.on("message", (bytes) => {
        const message = decoded(bytes);
        // something else on the wire must not end the wait for the real answer
        if (
          message?.id === id &&
          message.question?.name === name &&
          message.question.type === typeNumbers[type]
        )
          finish({ kind: "answer", message });
      });
      // connected: the kernel drops other senders, and reports a closed port at once
      socket.connect(this.#port, server, () => {
        socket.send(query, (failure) => {
          if (failure !== null) silent(failure);
        });
      });
    });
  }
}

function decoded(bytes: Uint8Array): DnsMessage | undefined {
  try {
    return decodeResponse(bytes);
  } catch (failure) {
    if (isWeftError(failure)) return undefined;
    throw failure;
  }
}
